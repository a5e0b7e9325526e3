/**
 * Draws an SVG, light or dark, with ECharts: the colours, the fonts, and what of its output only a browser with a mouse would need.
 */
import { CustomChart, LineChart } from "echarts/charts"
import { GraphicComponent, GridComponent, TitleComponent } from "echarts/components"
import * as echarts from "echarts/core"
import { SVGRenderer } from "echarts/renderers"

echarts.use([CustomChart, GraphicComponent, GridComponent, LineChart, SVGRenderer, TitleComponent])

/**
 * The colours that tell things apart are of Okabe and Ito, whom people with any colour vision can follow, and lighter on dark.
 *
 * @typedef {object} Theme
 * @property {string} background
 * @property {string} text
 * @property {string} faint of captions and axes
 * @property {string} line of grids
 * @property {string} good
 * @property {string} late
 * @property {string} bad
 * @property {ReadonlyArray<string>} others
 */

/** @type {Readonly<Record<"light" | "dark", Theme>>} */
export const themes = {
  light: {
    background: "#ffffff",
    text: "#1f2328",
    faint: "#59636e",
    line: "#d1d9e0",
    good: "#0072b2",
    late: "#7cc4ee",
    bad: "#d55e00",
    others: ["#b35a00", "#007a58", "#a0487a", "#59636e", "#8a6d00"]
  },
  dark: {
    background: "#0d1117",
    text: "#f0f6fc",
    faint: "#9198a1",
    line: "#3d444d",
    good: "#56b4e9",
    late: "#1f6391",
    bad: "#ff8a3d",
    others: ["#e69f00", "#2fc79b", "#e08bbb", "#9198a1", "#f0e442"]
  }
}

/** What GitHub shows of a picture on a wide screen, in pixels. */
export const width = 830

/** Small text is as small as can still be read. */
export const sizes = { title: 18, panel: 14, text: 13, small: 12 }

/**
 * A drawing. The caption stands below it, and each element of it begins a line.
 *
 * @typedef {object} Drawing
 * @property {string} title what it shows, in words
 * @property {string} alt for those who cannot see it
 * @property {ReadonlyArray<string>} caption
 * @property {number} height without the caption
 * @property {(theme: Theme) => Record<string, any>} option of ECharts, without title, caption and colours of texts
 */

const font = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"

/** Lines of small text that fit into the width in any font. @param {string} text */
const lines = (text) => text.match(/.{1,122}(?:\s+|$)/g)?.map((line) => line.trimEnd()) ?? []

/** @param {string} text */
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")

/** @param {Drawing} drawing @param {Theme} theme */
export const draw = ({ alt, caption, height, option, title }, theme) => {
  const below = caption.flatMap(lines)
  const size = { width, height: height + 17 * below.length + 14 }
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, ...size })
  const { graphic = [], title: titles = [], ...rest } = option(theme)
  chart.setOption({
    animation: false,
    backgroundColor: theme.background,
    textStyle: { color: theme.text },
    title: [
      { text: title, left: 16, top: 14, padding: 0, textStyle: { fontSize: sizes.title, color: theme.text } },
      ...titles.map((/** @type {any} */ one) => ({
        padding: 0,
        itemGap: 5,
        ...one,
        textStyle: { fontSize: sizes.panel, color: theme.text },
        subtextStyle: { fontSize: sizes.small, color: theme.text }
      }))
    ],
    graphic: [
      ...graphic,
      ...below.map((text, i) => ({
        type: "text",
        left: 16,
        top: height + i * 17,
        style: { text, fontSize: sizes.small, fill: theme.faint }
      }))
    ],
    ...rest
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
    // Names with a counter of all that this process has drawn, styles for a mouse, and data for scripts.
    .replaceAll(/ (?:ecmeta_\w+|class|pointer-events)="[^"]*"/g, "")
    .replaceAll(/<style\s*>.*?<\/style>\n?/gs, "")
    .replaceAll(/\bzr\d+-/g, "")
    .replaceAll(/font-family:[^;"]*/g, `font-family:${font}`)
    .replaceAll(/(\d+\.\d{3,})/g, (number) => String(Number(Number(number).toFixed(2))))
    .replace(/^<svg [^>]*>/, (start) => `${start.slice(0, -1)} role="img" aria-label="${escaped(alt)}">`)
    .trimEnd() + "\n"
}

/** An axis as all have it. @param {Theme} theme @param {Record<string, any>} own */
export const axis = (theme, { axisLabel, ...own }) => ({
  nameLocation: "middle",
  nameTextStyle: { fontSize: sizes.small, color: theme.faint },
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: theme.line } },
  ...own,
  axisLabel: { fontSize: sizes.small, color: theme.faint, ...axisLabel }
})
