/**
 * How long calls take: for each row a line from the 10th to the 99th of a hundred, with a mark at the 50th, the 90th and the 99th.
 */
import * as Chart from "./chart.mjs"

/** In milliseconds. @typedef {{ name: string, p10: number, p50: number, p90: number, p99: number, isOurs: boolean }} Range */
/** `finding` says in a line what the panel shows. @typedef {{ title: string, finding: string, rows: ReadonlyArray<Range> }} Panel */

const row = 26
const [left, right, top, between] = [196, 172, 104, 92]

/** @param {number} millis */
export const inWords = (millis) =>
  millis < 1 ? `${Math.round(millis * 1000)} µs` : `${Number(millis.toPrecision(2))} ms`

/** @param {{ title: string, panels: ReadonlyArray<Panel>, caption: ReadonlyArray<string> }} drawing @returns {Chart.Drawing} */
export const ranges = ({ caption, panels, title }) => {
  const placed = panels.map((panel, i) => ({
    ...panel,
    height: row * panel.rows.length,
    y: top + 34 + panels.slice(0, i).reduce((sum, { rows }) => sum + row * rows.length + between, 0)
  }))
  const end = Math.max(...placed.map(({ height, y }) => y + height))
  return {
    title,
    alt: `${title}. ${
      panels.map(({ finding, rows, title }) =>
        `${title}. ${finding}. ${
          rows.map(({ name, p50, p99 }) => `${name} ${inWords(p50)} (99%: ${inWords(p99)})`).join(", ")
        }.`
      ).join(" ")
    }`,
    caption: ["Logarithmic axes. The figures beside the lines: of half the calls, and of 99 in 100.", ...caption],
    height: end + 44,
    option: (theme) => ({
      title: placed.map(({ finding, title, y }) => ({ text: title, subtext: finding, left: 16, top: y - 46 })),
      grid: placed.map(({ height, y }) => ({ left, right, top: y, height })),
      xAxis: placed.map(({ rows }, gridIndex) => {
        const ends = rows.flatMap(({ p10, p99 }) => [p10, p99])
        return Chart.axis(theme, {
          gridIndex,
          type: "log",
          min: 10 ** Math.floor(Math.log10(Math.min(...ends))),
          max: 10 ** Math.ceil(Math.log10(Math.max(...ends))),
          axisLabel: { formatter: inWords }
        })
      }),
      yAxis: placed.map(({ rows }, gridIndex) =>
        Chart.axis(theme, {
          gridIndex,
          type: "category",
          inverse: true,
          data: rows.map(({ name }) => name),
          splitLine: { show: false },
          axisLabel: { fontSize: Chart.sizes.text, color: theme.text, width: left - 24, overflow: "truncate" }
        })
      ),
      series: placed.map(({ rows }, i) => ({
        type: "custom",
        silent: true,
        xAxisIndex: i,
        yAxisIndex: i,
        data: rows.map(({ isOurs, p10, p50, p90, p99 }, y) => [p10, y, p50, p90, p99, isOurs ? 1 : 0]),
        renderItem: (/** @type {any} */ _, /** @type {any} */ api) => {
          const at = (/** @type {number} */ dimension) => api.coord([api.value(dimension), api.value(1)])
          const [[from, y], [middle], [most], [last]] = [at(0), at(2), at(3), at(4)]
          const color = api.value(5) === 1 ? theme.good : theme.faint
          return {
            type: "group",
            children: [
              { type: "line", shape: { x1: from, x2: last, y1: y, y2: y }, style: { stroke: color, lineWidth: 2 } },
              { type: "circle", shape: { cx: middle, cy: y, r: 6 }, style: { fill: color } },
              { type: "rect", shape: { x: most - 1.5, y: y - 6, width: 3, height: 12 }, style: { fill: color } },
              {
                type: "circle",
                shape: { cx: last, cy: y, r: 4 },
                style: { fill: theme.background, stroke: color, lineWidth: 2 }
              },
              {
                type: "text",
                x: last + 9,
                y,
                style: {
                  text: `${inWords(api.value(2))}; 99%: ${inWords(api.value(4))}`,
                  fill: theme.text,
                  fontSize: Chart.sizes.small,
                  verticalAlign: "middle"
                }
              }
            ]
          }
        }
      })),
      graphic: [
        {
          type: "line",
          left: 16,
          top: 61,
          shape: { x1: 0, x2: 84, y1: 0, y2: 0 },
          style: { stroke: theme.text, lineWidth: 2 }
        },
        { type: "circle", left: 34, top: 56, shape: { r: 6 }, style: { fill: theme.text } },
        { type: "rect", left: 64, top: 56, shape: { width: 3, height: 12 }, style: { fill: theme.text } },
        {
          type: "circle",
          left: 94,
          top: 57,
          shape: { r: 4 },
          style: { fill: theme.background, stroke: theme.text, lineWidth: 2 }
        },
        {
          type: "text",
          left: 114,
          top: 55,
          style: {
            text:
              "of 100 calls, 10 take less than the line's start, 50 than the dot, 90 than the bar, 99 than the ring; blue: Lifeline",
            fontSize: Chart.sizes.small,
            fill: theme.text
          }
        }
      ]
    })
  }
}
