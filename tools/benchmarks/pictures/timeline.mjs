/**
 * Calls over time, one mark a call, for each fault and each client: `pnpm bench timeline`.
 */
import { sources } from "./caption.mjs"
import * as Chart from "./chart.mjs"

/** @typedef {[start: number, took: number, outcome: "good" | "failed" | "hung", tool: "read" | "write"]} Call */
/** @typedef {{ fault: string, faultAt: number, faultEnd?: number, timeout: number, seconds: number, every: number, calls: Record<string, ReadonlyArray<Call>> }} Series */

const [left, right] = [206, 150]
const lane = 38
const [top, between] = [86, 96]

/** Calls that waited this long for their server are drawn as late, in milliseconds more than the fastest took. */
const late = 1000

/** @param {ReadonlyArray<Call>} calls */
const good = (calls) => calls.filter(([, , outcome]) => outcome === "good").length

/** @param {Series} series */
const names = ({ calls }) => Object.keys(calls)

/** When each client had a good call again. @param {import("../common.mjs").Result} part */
const finding = ({ rows }) =>
  `first good call after ${
    rows.map(({ figures, name }) => {
      const after = figures["first good call ms"]
      return `${name} ${typeof after === "number" ? `${(after / 1000).toFixed(1)} s` : after}`
    }).join("; ")
  }`

/** Of the legend's entries, from the left. */
const places = [0, 104, 366, 444]

/** @param {number} timeout */
const kinds = (timeout) => /** @type {const} */ ([
  ["answered", "good", 1],
  [`answered late: it waited ${late / 1000} s or more`, "late", 1],
  ["failed", "bad", 0.5],
  [`no answer in ${timeout / 1000} s`, "text", 0.5]
])

/** @param {Call} call @param {number} fastest */
const kindOf = ([, took, outcome], fastest) =>
  outcome === "good" ? (took > fastest + late ? 1 : 0) : outcome === "failed" ? 2 : 3

/** @param {ReadonlyArray<import("./records.mjs").Part>} parts @returns {Chart.Drawing} */
export const timeline = (parts) => {
  const panels = parts.map((part, i) => {
    const of = /** @type {Series} */ (part.series)
    const height = lane * names(of).length
    return { title: part.title, found: finding(part), of, height, y: top + 46 + i * (height + between) }
  })
  const [first] = panels
  if (first === undefined) throw new Error("The timeline has no parts")
  const end = Math.max(...panels.map(({ height, y }) => y + height))
  const { timeout } = first.of
  const rounds = Math.max(...parts.map(({ run }) => run.rounds))
  return {
    title: "Calls while a server is killed, stops answering, or cannot be reached",
    alt: panels.map(({ found, title }) => `${title}: ${found}.`).join(" "),
    caption: [
      `One mark a call, where it started; the dashed line is the fault. Every second call only reads, the others have an effect. Callers give up after ${
        timeout / 1000
      } s. All clients ran at once, each with a server of its own and with default options.${
        rounds > 1 ? " Of several rounds, the first recording, and the median of the times." : " One recording."
      }`,
      ...sources(parts, ({ title }) => title)
    ],
    height: end + 44,
    option: (theme) => ({
      title: panels.map(({ found, title, y }) => ({ text: title, subtext: found, left: 16, top: y - 46 })),
      grid: panels.map(({ height, y }) => ({ left, right, top: y, height })),
      xAxis: panels.map(({ of }, gridIndex) =>
        Chart.axis(theme, {
          gridIndex,
          type: "value",
          min: 0,
          max: of.seconds,
          axisLabel: { formatter: "{value} s", showMaxLabel: true },
          splitLine: { show: false }
        })
      ),
      yAxis: panels.flatMap(({ of }, gridIndex) => [
        Chart.axis(theme, {
          gridIndex,
          type: "category",
          inverse: true,
          data: names(of),
          splitLine: { show: false },
          axisLabel: { fontSize: Chart.sizes.text, color: theme.text }
        }),
        Chart.axis(theme, {
          gridIndex,
          type: "category",
          inverse: true,
          position: "right",
          data: Object.values(of.calls).map((calls) => `${good(calls)} of ${calls.length} answered`),
          splitLine: { show: false },
          axisLabel: { fontSize: Chart.sizes.small, color: theme.text }
        })
      ]),
      series: panels.flatMap(({ of }, i) => [
        {
          type: "custom",
          silent: true,
          xAxisIndex: i,
          yAxisIndex: 2 * i,
          data: [[of.faultAt / 1000, (of.faultEnd ?? of.faultAt) / 1000]],
          renderItem: (/** @type {any} */ { coordSys }, /** @type {any} */ api) => {
            const [from] = api.coord([api.value(0), 0])
            const [to] = api.coord([api.value(1), 0])
            const shape = { x1: from, x2: from, y1: coordSys.y - 4, y2: coordSys.y + coordSys.height }
            const area = { x: from, y: shape.y1, width: to - from, height: coordSys.height + 4 }
            return {
              type: "group",
              children: [
                { type: "rect", shape: area, style: { fill: theme.line, opacity: 0.6 } },
                { type: "line", shape, style: { stroke: theme.text, lineWidth: 1.5, lineDash: [4, 3] } }
              ]
            }
          }
        },
        ...Object.values(of.calls).map((calls, row) => {
          const fastest = Math.min(...calls.filter(([, , outcome]) => outcome === "good").map(([, took]) => took))
          return {
            type: "custom",
            silent: true,
            xAxisIndex: i,
            yAxisIndex: 2 * i,
            data: calls.map((call) => [call[0] / 1000, row, kindOf(call, fastest)]),
            renderItem: (/** @type {any} */ _, /** @type {any} */ api) => {
              const [x, y] = api.coord([api.value(0), row])
              const [broad] = api.size([of.every / 1000, 0])
              const [, color, part] = kinds(timeout)[/** @type {0} */ (api.value(2))]
              const height = (lane - 12) * part
              return {
                type: "rect",
                shape: { x, y: y + (lane - 12) / 2 - height, width: broad * 0.78, height },
                style: { fill: theme[color] }
              }
            }
          }
        })
      ]),
      graphic: kinds(timeout).flatMap(([name, color, part], i) => {
        const x = 16 + (places[i] ?? 0)
        return [
          {
            type: "rect",
            left: x,
            top: 52 + 14 * (1 - part),
            shape: { width: 8, height: 14 * part },
            style: { fill: theme[color] }
          },
          { type: "text", left: x + 15, top: 52, style: { text: name, fontSize: Chart.sizes.small, fill: theme.text } }
        ]
      })
    })
  }
}
