import sys
from pathlib import Path

# So that test files can share timm_models.
sys.path.insert(0, str(Path(__file__).parent))
