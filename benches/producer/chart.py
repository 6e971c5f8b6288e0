"""The chart of the producers' cost: a bar for the wall time and one for the CPU
time of each way, in SVG that reads on light and on dark."""

from xml.sax.saxutils import escape

LEFT, WIDTH, ROW, TOP = 330, 880, 46, 64
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .quiet { fill: #59636e }
  .wall { fill: #8fb8de } .cpu { fill: #1f6fb2 }
  .p95 { stroke: #59636e; stroke-width: 1.5 }
  .axis { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .quiet { fill: #9198a1 }
    .wall { fill: #3d6a94 } .cpu { fill: #79b8f0 }
    .p95 { stroke: #9198a1 } .axis { stroke: #3d444d }
  }
"""


def step_for(largest):
    """A round distance between grid lines, of which there are eight at most."""
    steps = (digit * 10**power for power in range(9) for digit in (1, 2, 5))
    return next(step for step in steps if largest / step <= 8)


def bar(at, y, height, length, kind):
    return f'<rect class="{kind}" x="{at}" y="{y}" width="{length:.1f}" height="{height}" rx="2"/>'


def text(x, y, words, kind="", anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def svg(rows):
    """`rows` are ways with their medians and 95th percentiles in microseconds."""
    largest = max(found["wall_p95"] for _, found in rows)
    scale = (WIDTH - LEFT - 70) / largest
    height = TOP + ROW * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>What one invocation pays for telling 20 samples</title>",
        f"<style>{STYLE}</style>",
        text(16, 24, "What one invocation pays for telling 20 samples, on loopback", "title"),
        bar(16, 36, 10, 14, "wall"), text(36, 46, "wall time (line: to the 95th percentile)", "quiet"),
        bar(316, 36, 10, 14, "cpu"), text(336, 46, "of it CPU time of the producer", "quiet"),
    ]
    step = step_for(largest)
    for tick in range(0, int(largest) + 1, step):
        x = LEFT + tick * scale
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 32}"/>')
        parts.append(text(x, height - 14, f"{tick / 1000:g} ms", "quiet", "middle"))
    for number, ((language, _, title, _), found) in enumerate(rows):
        y = TOP + ROW * number
        parts.append(text(LEFT - 12, y + 14, f"{language}: {title}", "", "end"))
        parts.append(bar(LEFT, y, 13, found["wall"] * scale, "wall"))
        end = LEFT + found["wall_p95"] * scale
        parts.append(
            f'<line class="p95" x1="{LEFT + found["wall"] * scale:.1f}" x2="{end:.1f}" '
            f'y1="{y + 6.5}" y2="{y + 6.5}"/>')
        parts.append(text(end + 6, y + 11, f"{found['wall'] / 1000:.2f}", "quiet"))
        parts.append(bar(LEFT, y + 15, 13, found["cpu"] * scale, "cpu"))
        parts.append(text(LEFT + found["cpu"] * scale + 6, y + 26, f"{found['cpu'] / 1000:.2f}", "quiet"))
    return "\n".join(parts) + "\n</svg>\n"
