import torch

import wavezoo


class SharedField(wavezoo.ParameterField):
    """One learned value for all channels and cells."""

    depends_on_input, depends_on_position, causal, varies_in_space = False, False, True, False

    def __init__(self, channels, ndim, *, initial, maximum=None):
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        self.weight = torch.nn.Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self):
        torch.nn.init.constant_(self.weight, self.unlinked(self.initial))

    def forward(self, x):
        return self.link(self.weight).view(1, 1, *[1] * self.ndim)


@wavezoo.hookimpl
def wavezoo_fields():
    return {"shared": SharedField}
