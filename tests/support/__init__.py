"""What tests share: worlds to act in (pipeline, program, production), servers, strategies and judges."""
