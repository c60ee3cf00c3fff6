"""The part of the build that ``pyproject.toml`` cannot state: optional compiled modules.

Where a compiled module cannot be built (no compiler), the package is installed without it and runs in Python alone.
"""

from setuptools import Extension, setup

setup(
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
