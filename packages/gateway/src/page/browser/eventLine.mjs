import { html } from "./html.mjs"
import { clean, date, shortened, time } from "./words.mjs"

/** A line of a list of events. @param {import("./types.d.ts").GatewayEvent} event @param {boolean} [isOwn] whether the list is that of its server */
export const eventLine = (event, isOwn = false) => {
  const { at, level, server, text } = event
  return html`
    <li key=${event} data-level=${level}>
      <time datetime=${new Date(at).toISOString()} title=${date(at)}>${time(at)}</time>${" "}
      ${level !== "info" && html`<span class="level">${level === "error" ? "Error" : "Warning"}</span> `}
      ${!isOwn && server !== null && html`<strong>${clean(server, 60)}</strong> `}
      <span class="text">${shortened(text.replace(/ {2,}/g, " · "), 400, "mcp-lifeline logs")}</span>
    </li>
  `
}
