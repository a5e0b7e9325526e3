/**
 * How a figure grows: a line for each contestant, in one or two panels side by side.
 */
import * as Chart from "./chart.mjs"

/** @typedef {{ name: string, isOurs: boolean, points: ReadonlyArray<readonly [x: number, y: number]> }} Line */
/** `finding` says in a line what the panel shows. @typedef {{ title: string, finding: string, x: string, y: string, scale: "log" | "value", lines: ReadonlyArray<Line> }} Panel */

const symbols = ["circle", "rect", "triangle", "diamond"]
const [top, height, left] = [126, 260, 66]
/** For the names at the ends of lines. */
const ends = 136

/** Where an axis begins and ends. @param {ReadonlyArray<Line>} lines @param {Panel["scale"]} scale @returns {[number, number]} */
const extent = (lines, scale) => {
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y))
  const most = Math.max(...values)
  if (scale === "log") return [10 ** Math.floor(Math.log10(Math.min(...values))), 10 ** Math.ceil(Math.log10(most))]
  const step = 10 ** Math.floor(Math.log10(most)) / 2
  return [0, Math.ceil(most / step) * step]
}

/** How far the name at the end of each line has to go down, in pixels, so that it covers no other. @param {ReadonlyArray<Line>} lines @param {Panel["scale"]} scale */
const shifts = (lines, scale) => {
  const [min, max] = extent(lines, scale)
  const part = (/** @type {number} */ y) =>
    scale === "log" ? Math.log10(y / min) / Math.log10(max / min) : (y - min) / (max - min)
  const found = lines.map(() => 0)
  /** Where the last name stands, by the number of points: names of longer lines are further to the right. @type {Map<number, number>} */
  const lowest = new Map()
  const ends = lines.map(({ points }, i) => ({
    i,
    count: points.length,
    y: height * (1 - part(points.at(-1)?.[1] ?? min))
  }))
  for (const { count, i, y } of ends.toSorted((a, b) => a.y - b.y)) {
    const at = Math.max(y, (lowest.get(count) ?? Number.NEGATIVE_INFINITY) + 15)
    lowest.set(count, at)
    found[i] = at - y
  }
  return found
}

/** @param {{ title: string, panels: ReadonlyArray<Panel>, caption: ReadonlyArray<string> }} drawing @returns {Chart.Drawing} */
export const lines = ({ caption, panels, title }) => {
  const broad = (Chart.width - 16) / panels.length
  /** Each contestant has the same colour and mark in both panels. */
  const all = [...new Set(panels.flatMap(({ lines }) => lines.map(({ name }) => name)))]
  const blue = new Set(panels.map(({ lines }) => lines.find(({ isOurs }) => isOurs)?.name))
  const others = all.filter((name) => !blue.has(name))
  return {
    title,
    alt: `${title}. ${
      panels.map(({ finding, lines, title, x, y }) =>
        `${title}. ${finding}. ${y} by ${x}: ${
          lines.map(({ name, points }) => `${name} ${points.map(([x, y]) => `${y} at ${x}`).join(", ")}`).join("; ")
        }.`
      ).join(" ")
    }`,
    caption,
    height: top + height + 62,
    option: (theme) => ({
      title: panels.map(({ finding, title }, i) => ({ text: title, subtext: finding, left: 16 + i * broad, top: 46 })),
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
        const [min, max] = extent(lines, scale)
        return Chart.axis(theme, {
          gridIndex,
          type: scale,
          min,
          max,
          name: y,
          nameLocation: "end",
          nameGap: 14,
          nameTextStyle: { fontSize: Chart.sizes.small, color: theme.faint, align: "left", padding: [0, 0, 0, -48] }
        })
      }),
      series: panels.flatMap(({ lines, scale }, i) => {
        const down = shifts(lines, scale)
        const own = lines.find(({ isOurs }) => isOurs)
        return lines.map((line, n) => {
          const { isOurs, name, points } = line
          const color = own === line ? theme.good : theme.others[others.indexOf(name) % theme.others.length]
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
            endLabel: {
              show: true,
              formatter: name,
              color,
              fontSize: Chart.sizes.small,
              distance: 8,
              offset: [0, down[n]]
            }
          }
        })
      })
    })
  }
}
