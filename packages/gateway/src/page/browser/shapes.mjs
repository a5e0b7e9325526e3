/** What can be seen of a state without reading: a shape of its own for each condition, and bars of different height. */
import { html } from "./html.mjs"
import { bars } from "./Timeline.mjs"

/** @typedef {import("./words.mjs").Condition} Condition */

/** A disc, a half disc, a triangle, a cross and a ring, in a square of 16. @type {Readonly<Record<Condition, string>>} */
const shapes = {
  up: "M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12z",
  busy: "M8 2a6 6 0 1 1 0 12zM8 2a6 6 0 1 0 0 12v-1.800a4.200 4.200 0 1 1 0-8.400z",
  waiting: "M8 1.500l7 12.500h-14z",
  down:
    "M4.200 2l3.800 3.800 3.800-3.800 2.200 2.200-3.800 3.800 3.800 3.800-2.200 2.200-3.800-3.800-3.800 3.800-2.200-2.200 3.800-3.800-3.800-3.800z",
  off: "M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12zM8 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8z"
}

/** @param {Condition} condition */
export const mark = (condition) =>
  html`
    <svg class="mark" viewBox="0 0 16 16" aria-hidden="true" data-condition=${condition}>
      <path fill-rule="evenodd" d=${shapes[condition]} />
    </svg>
  `

const height = 20
const step = 3

/** How high the bar of each condition is. @type {Readonly<Record<Condition | "unknown", number>>} */
const heights = { up: 20, busy: 13, waiting: 10, down: 6, off: 3, unknown: 1 }

/** One bar, for a legend. @param {Condition} condition */
export const bar = (condition) =>
  html`
    <svg class="strip-sample" viewBox="0 0 5 ${height}" aria-hidden="true">
      <path data-condition=${condition} d="M0 ${height - heights[condition]}h5v${heights[condition]}h-5z" />
    </svg>
  `

/** A strip of bars: one path for each condition, so that another moment is a change of a few attributes. @param {ReadonlyArray<Condition | undefined>} conditions @param {string} label */
export const strip = (conditions, label) =>
  html`
    <svg class="strip" viewBox="0 0 ${
    bars * step - 1
  } ${height}" preserveAspectRatio="none" role="img" aria-label=${label}>
      <title>${label}</title>
      ${
    Object.entries(heights).map(([condition, tall]) => {
      const drawn = conditions.map((one, bar) =>
        (one ?? "unknown") === condition ? `M${bar * step} ${height - tall}h2v${tall}h-2z` : ""
      )
      return html`<path key=${condition} data-condition=${condition} d=${drawn.join("")} />`
    })
  }
    </svg>
  `
