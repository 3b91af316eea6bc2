"""Charts of a study as inline SVG whose colours are CSS classes, so that a page can be light or dark.

Each is drawn twice, wide and narrow, and the page shows the one that fits: text keeps its size on a phone.
"""

from studies.report.charts.curves import curves_charts
from studies.report.charts.dots import dots_chart
from studies.report.charts.forest import forest_chart
from studies.report.charts.heat import HeatMap, heat_maps
from studies.report.charts.scatter import Axis, scatter_chart

__all__ = ["Axis", "HeatMap", "curves_charts", "dots_chart", "forest_chart", "heat_maps", "scatter_chart"]
