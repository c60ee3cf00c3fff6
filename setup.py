"""The two parts of the build that ``pyproject.toml`` cannot state: optional compiled modules, and the shipped artifact.

Where a compiled module cannot be built (no compiler), the package is installed without it and runs in Python alone.
"""

from pathlib import Path
from shutil import copyfile

from setuptools import Extension, setup
from setuptools.command.build_py import build_py


class BuildWithArtifact(build_py):
    """Puts ``models/default.safetensors`` inside the package, but for editable installations."""

    def run(self):
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            copyfile("models/default.safetensors", Path(self.build_lib, "classifier", "default.safetensors"))


setup(
    cmdclass={"build_py": BuildWithArtifact},
    ext_modules=[
        Extension(
            name,
            [f"{name.replace('.', '/')}.pyx"],
            depends=["classifier/compiled/_wide.h"],
            extra_compile_args=["-O3"],
            optional=True,
        )
        for name in ("classifier.compiled._scan", "classifier.compiled._forward", "training.tables._structure")
    ],
)
