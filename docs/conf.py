"""Settings of the site: `sphinx-build -W --keep-going docs site` builds it, and a warning fails the build.

The core is not compiled for it: Sphinx reads docstrings and signatures from python/ and pretends that `_core` and the
optional libraries exist.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tomllib
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.writers.html5 import HTML5Translator

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "python"))

project = "numpy-adagrad"
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
project_copyright = "BSD-3-Clause"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"  # `name` in a docstring is a link where it is public, see `public_name`
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_mock_imports = ["numpy_adagrad._core", "mpi4py", "torch"]
autodoc_typehints = "none"  # docstrings describe types in words
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "numpy-adagrad"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars: dict[str, list[str]] = {"index": [], "guide/examples": []}  # pages without a section
html_math_renderer = "mathml"
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "back_to_top_button": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
copybutton_exclude = ".linenos, .gp, .go"  # prompts and output


def setup(app: "Sphinx") -> None:
    """Write formulas as MathML, which browsers show without a script from another site."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.connect("missing-reference", public_name)


def public_name(
    app: "Sphinx", env: "BuildEnvironment", node: "pending_xref", text: nodes.Element
) -> nodes.Element | None:
    """Find the names of the package's own namespace from the docstrings of all its modules."""
    target = f"numpy_adagrad.{node['reftarget']}"
    return env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, text)


def inline_formula(translator: "HTML5Translator", node: nodes.math) -> None:
    """Write a formula within a line."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def displayed_formula(translator: "HTML5Translator", node: nodes.math_block) -> None:
    """Write a formula on its own line."""
    translator.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>\n')
    raise nodes.SkipNode
