"""What a network may not do if each example's share of the training is to be bounded."""

from fivefold.privacy.validator.group_norm import with_group_norm
from fivefold.privacy.validator.mixing import Mixing, check_separate, first_mixing

__all__ = ["Mixing", "check_separate", "first_mixing", "with_group_norm"]
