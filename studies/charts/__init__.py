"""Charts of a study as inline SVG whose colours are CSS classes, so that a page can be light or dark.

Each is drawn twice, wide and narrow, and the page shows the one that fits: text keeps its size on a phone.
"""

from studies.charts.curves import curves_charts
from studies.charts.dots import dots_chart
from studies.charts.forest import forest_chart
from studies.charts.heat import HeatMap, heat_maps
from studies.charts.scatter import Axis, scatter_chart

__all__ = ["Axis", "HeatMap", "curves_charts", "dots_chart", "forest_chart", "heat_maps", "scatter_chart"]
