"""Existing machines: the program installs software on them and creates nothing else."""
