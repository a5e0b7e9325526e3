/**
 * Numbers, times, states and texts of others in words. Pure.
 */

/** @typedef {import("./types.d.ts").Server["state"]} State */
/** @typedef {"up" | "busy" | "waiting" | "down" | "off"} Condition */

/** What each state of a server means for its user. @type {Readonly<Record<State, Condition>>} */
const conditions = {
  Connected: "up",
  Connecting: "busy",
  Reconnecting: "waiting",
  Dormant: "waiting",
  PermanentlyFailed: "down",
  SignInNeeded: "down",
  Disconnected: "off",
  Idle: "off",
  Disabling: "off",
  Disabled: "off",
  Closed: "off"
}

/** @param {State} state */
export const conditionOf = (state) => conditions[state]

/** `PermanentlyFailed` as `Permanently failed`. @param {State} state */
export const stateName = (state) =>
  state === "SignInNeeded"
    ? "Sign-in needed"
    : state.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

const counts = new Intl.NumberFormat("en")
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })

/** `1,204`; from a hundred thousand on `120.4K`. @param {number} count */
export const number = (count) => (count < 100_000 ? counts : compact).format(count)

/** Those that there are. @param {string} separator @param {ReadonlyArray<string | false | null | undefined>} parts */
export const joined = (separator, parts) => parts.filter(Boolean).join(separator)

/** `1 tool`, `2 tools`. @param {number} count @param {string} noun */
export const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`

/** `per client: 3 connected, 1 reconnecting`. @param {NonNullable<import("./types.d.ts").Server["runtimesByState"]>} runtimesByState */
export const perClient = (runtimesByState) => {
  const counts = Object.entries(runtimesByState).map(([state, count]) =>
    `${number(count)} ${stateName(/** @type {State} */ (state)).toLowerCase()}`
  )
  return `per client: ${counts.length === 0 ? "no client has one" : counts.join(", ")}`
}

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** `12 s`, `4 min 10 s`, `3 h 12 min`, `2 d 4 h`. @param {number} millis */
export const duration = (millis) => {
  const seconds = Math.max(0, Math.round(millis / 1000))
  const two = (
    /** @type {number} */ large,
    /** @type {string} */ unit,
    /** @type {number} */ small,
    /** @type {string} */ rest
  ) => {
    const left = Math.floor((seconds % large) / small)
    return `${Math.floor(seconds / large)} ${unit}${left > 0 ? ` ${left} ${rest}` : ""}`
  }
  if (seconds < minute) return `${seconds} s`
  if (seconds < hour) return two(minute, "min", 1, "s")
  if (seconds < day) return two(hour, "h", minute, "min")
  return two(day, "d", hour, "h")
}

/** The same without seconds from a minute on: for what nobody waits for. @param {number} millis */
export const longDuration = (millis) => duration(millis < minute * 1000 ? millis : millis - millis % (minute * 1000))

/** `3 ms`, `0.8 ms`, `1.2 s`. @param {number} value */
export const millis = (value) => {
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`
  return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} ms`
}

const largeUnits = /** @type {const} */ ([[1e9, "GB"], [1e6, "MB"], [1e3, "KB"]])

/** `1.05 GB`, `152 MB`, `900 B`. @param {number} value */
export const bytes = (value) => {
  const [size, unit] = largeUnits.find(([size]) => value >= size * 0.9995) ?? [1, "B"]
  return `${Number((value / size).toPrecision(3))} ${unit}`
}

/** `3 %`, `0.4 %`. @param {number} value */
export const percent = (value) => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)}\u00a0%`

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" })
const calendar = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" })

/** `12:03:04`, in the time of this machine. @param {number} at */
export const time = (at) => clock.format(at)

/** With the day, too. @param {number} at */
export const date = (at) => calendar.format(at)

/** `12:03:04`, with the day where that was not today. @param {number} at @param {number} now */
export const moment = (at, now) => new Date(at).toDateString() === new Date(now).toDateString() ? time(at) : date(at)

/** Text from outside in one line: without characters that control or reorder what stands around it. @param {string} text @param {number} [most] */
export const clean = (text, most = 600) => {
  const line = text.slice(0, most * 2).replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim()
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}

/** The same, and where it is cut, how much is left out and which command shows all. @param {string} text @param {number} most @param {string} command */
export const shortened = (text, most, command) => {
  const line = clean(text, 20_000)
  const left = line.length - most
  return left > 0 ? `${line.slice(0, most)}… (${left} characters left out: ${command})` : line
}
