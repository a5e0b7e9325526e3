/**
 * How a figure grows: a line for each contestant, in one or two panels side by side.
 */
import * as Chart from "./chart.mjs"

/** @typedef {{ name: string, isOurs: boolean, points: ReadonlyArray<readonly [x: number, y: number]> }} Line */
/** @typedef {{ title: string, x: string, y: string, scale: "log" | "value", lines: ReadonlyArray<Line> }} Panel */

const symbols = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect"]
const [top, height, left] = [112, 260, 66]
/** For the names at the ends of lines. */
const ends = 136

/** @param {{ title: string, panels: ReadonlyArray<Panel>, caption: ReadonlyArray<string> }} drawing @returns {Chart.Drawing} */
export const lines = ({ caption, panels, title }) => {
  const broad = (Chart.width - 16) / panels.length
  /** Each contestant has the same colour and mark in both panels. */
  const all = [...new Set(panels.flatMap(({ lines }) => lines.map(({ name }) => name)))]
  const ours = new Set(panels.flatMap(({ lines }) => lines.filter(({ isOurs }) => isOurs).map(({ name }) => name)))
  const others = all.filter((name) => !ours.has(name))
  return {
    title,
    alt: `${title}. ${
      panels.map(({ lines, title, x, y }) =>
        `${title}, ${y} by ${x}: ${
          lines.map(({ name, points }) => `${name} ${points.map(([x, y]) => `${y} at ${x}`).join(", ")}`).join("; ")
        }.`
      ).join(" ")
    }`,
    caption,
    height: top + height + 62,
    option: (theme) => ({
      title: panels.map(({ title }, i) => ({ text: title, left: 16 + i * broad, top: 46 })),
      grid: panels.map((_, i) => ({ left: left + i * broad, width: broad - left - ends, top, height })),
      xAxis: panels.map(({ lines, x }, gridIndex) =>
        Chart.axis(theme, {
          gridIndex,
          type: "category",
          name: x,
          nameGap: 28,
          boundaryGap: false,
          splitLine: { show: false },
          data: [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].toSorted((a, b) => a - b).map(
            String
          )
        })
      ),
      yAxis: panels.map(({ lines, scale, y }, gridIndex) => {
        const values = lines.flatMap(({ points }) => points.map(([, y]) => y))
        return Chart.axis(theme, {
          gridIndex,
          type: scale,
          ...(scale === "log"
            ? {
              min: 10 ** Math.floor(Math.log10(Math.min(...values))),
              max: 10 ** Math.ceil(Math.log10(Math.max(...values)))
            }
            : { min: 0 }),
          name: y,
          nameLocation: "end",
          nameGap: 14,
          nameTextStyle: { fontSize: Chart.sizes.small, color: theme.faint, align: "left", padding: [0, 0, 0, -48] }
        })
      }),
      series: panels.flatMap(({ lines }, i) =>
        lines.map(({ isOurs, name, points }) => {
          const color = isOurs && ours.size === 1
            ? theme.good
            : isOurs
            ? [theme.good, theme.late][[...ours].indexOf(name)]
            : theme.others[others.indexOf(name) % theme.others.length]
          return {
            type: "line",
            name,
            silent: true,
            xAxisIndex: i,
            yAxisIndex: i,
            color,
            symbol: symbols[all.indexOf(name) % symbols.length],
            symbolSize: isOurs ? 9 : 7,
            lineStyle: { width: isOurs ? 3 : 1.5 },
            data: points.map(([x, y]) => [String(x), y]),
            endLabel: { show: true, formatter: name, color, fontSize: Chart.sizes.small, distance: 8 },
            labelLayout: { moveOverlap: "shiftY" }
          }
        })
      )
    })
  }
}
