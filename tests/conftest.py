"""What every test shares: property tests that say the same on a slow machine as on a quick one."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    # It measures the machine, not the test.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")
