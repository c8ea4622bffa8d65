"""What stands for a medium while it is searched for, one parametrisation a file."""
