/**
 * From what happened to figures: pure.
 */
import { median, round } from "../common.mjs"

/**
 * A call of the caller: when it was made, in milliseconds since the fault, how long it took, and what became of it. `hung`: it had no answer by
 * the caller's timeout.
 *
 * @typedef {{ readonly at: number, readonly took: number, readonly outcome: "good" | "failed" | "hung", readonly why?: string | undefined }} Call
 */
/**
 * What one client did in one fault. `back` is undefined for one that did not come back; the counts of what is left are undefined where they do
 * not exist or cannot be known.
 *
 * @typedef {object} Cell
 * @property {number | undefined} back milliseconds to the end of the first good call
 * @property {number} failed
 * @property {number} hung
 * @property {number} twice
 * @property {number | undefined} sessions
 * @property {number | undefined} processes
 * @property {number | undefined} memory in MB
 */
/**
 * A client in a fault, over all runs.
 *
 * @typedef {{ readonly name: string, readonly isLifeline: boolean, readonly cells: ReadonlyArray<Cell> }} Measured
 */

/** When the client was back, and what it cost until then and afterwards. @param {ReadonlyArray<Call>} calls @param {number} within */
export const outage = (calls, within) => {
  const good = calls.find(({ outcome }) => outcome === "good")
  const back = good === undefined ? undefined : good.at + good.took
  /** @param {Call["outcome"]} outcome */
  const count = (outcome) => calls.filter((call) => call.outcome === outcome).length
  return {
    back: back === undefined || back > within ? undefined : back,
    failed: count("failed"),
    hung: count("hung")
  }
}

/** What became of a call. @param {{ readonly ok: boolean, readonly took: number, readonly timeoutMs: number }} call @returns {Call["outcome"]} */
export const outcome = ({ ok, timeoutMs, took }) =>
  // Timers may be early by a millisecond.
  ok ? "good" : took >= timeoutMs - 5 ? "hung" : "failed"

/** How many calls a server carried out more than once. @param {ReadonlyArray<{ readonly event: string, readonly detail?: string | undefined }>} journal */
export const twice = (journal) => {
  const keys = journal.flatMap(({ detail = "", event }) => event === "apply" ? [detail] : [])
  return new Set(keys.filter((key, i) => keys.indexOf(key) !== i)).size
}

/** The counts, of which the worst of the runs is shown. */
const counts = /** @type {const} */ (["failed", "hung", "twice", "sessions", "processes"])
const names = { sessions: "sessions left", processes: "processes left" }
/** @param {typeof counts[number]} figure @returns {string} */
const nameOf = (figure) => figure in names ? names[/** @type {keyof typeof names} */ (figure)] : figure

/** @param {ReadonlyArray<number | undefined>} values */
const most = (values) => {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

/** Of the times, infinity is of a run in which the client did not come back. @param {Measured} measured */
const summary = ({ cells, name }) => {
  const backs = cells.map(({ back }) => back ?? Number.POSITIVE_INFINITY)
  const time = median(backs)
  return {
    name,
    runs: cells.length,
    returned: backs.filter(Number.isFinite).length,
    isBack: Number.isFinite(time),
    time,
    least: Math.min(...backs),
    most: Math.max(...backs),
    failed: most(cells.map(({ failed }) => failed)),
    hung: most(cells.map(({ hung }) => hung)),
    twice: most(cells.map(({ twice }) => twice)),
    sessions: most(cells.map(({ sessions }) => sessions)),
    processes: most(cells.map(({ processes }) => processes)),
    memory: most(cells.map(({ memory }) => memory))
  }
}

/** @typedef {ReturnType<typeof summary>} Summary */

/** What is compared: a call that hung has not failed, and is lost as well. @param {Summary} one @param {typeof counts[number]} figure */
const compared = (one, figure) => figure === "failed" ? (one.failed ?? 0) + (one.hung ?? 0) : one[figure]

/** Whether a time is as good as the best: the runs overlap, or it is what a busy machine makes of equal times. @param {Summary} one @param {Summary} best */
const isAsFast = (one, best) =>
  one.time === best.time || one.least <= best.most || one.time - best.time <= Math.max(30, best.time / 10)

/** @param {ReadonlyArray<Summary>} all */
const fastest = (all) => all.toSorted((a, b) => a.time < b.time ? -1 : 1)[0]

/**
 * For each client, in what it is the best of those that came back; a figure that is the same for all is nobody's.
 *
 * @param {ReadonlyArray<Measured>} rows
 * @returns {ReadonlyArray<ReadonlyArray<string>>}
 */
export const bests = (rows) => {
  const all = rows.map(summary)
  const returned = all.filter(({ isBack }) => isBack)
  const best = fastest(returned)
  /** @param {Summary} one */
  const isFast = (one) => one.isBack && best !== undefined && isAsFast(one, best)
  const least = new Map(
    counts.map((figure) => [figure, Math.min(...returned.flatMap((one) => compared(one, figure) ?? []))])
  )
  const telling = counts.filter((figure) => returned.some((one) => compared(one, figure) !== least.get(figure)))
  return all.map((one) => [
    ...isFast(one) && !all.every(isFast) ? ["time"] : [],
    ...telling.filter((figure) => one.isBack && compared(one, figure) === least.get(figure)).map(nameOf)
  ])
}

/**
 * In what a client without Lifeline is better than one with it. Who did not come back has had little occasion to fail, and to leave something
 * behind: only those that came back are compared.
 *
 * @param {ReadonlyArray<Measured>} rows
 * @returns {ReadonlyArray<{ readonly name: string, readonly figure: string, readonly ours: string, readonly better: string, readonly of: string }>}
 */
export const beaten = (rows) => {
  const others = rows.filter(({ isLifeline }) => !isLifeline).map(summary).filter(({ isBack }) => isBack)
  const best = fastest(others)
  return rows.filter(({ isLifeline }) => isLifeline).map(summary).flatMap((own) => {
    const { name } = own
    const slower = best === undefined || isAsFast(own, best)
      ? []
      : [{ name, figure: "time", ours: time(own.time), better: time(best.time), of: called(best) }]
    const more = counts.flatMap((figure) => {
      const ours = compared(own, figure) ?? 0
      const [least] = others.toSorted((a, b) => (compared(a, figure) ?? 0) - (compared(b, figure) ?? 0))
      const better = least === undefined ? undefined : compared(least, figure)
      if (least === undefined || better === undefined || better >= ours) return []
      return [{
        name,
        figure: figure === "failed" ? "failed or hung" : nameOf(figure),
        ours: String(ours),
        better: String(better),
        of: called(least)
      }]
    })
    return [...slower, ...more]
  })
}

/** What it has paid with stands beside its name. @param {Summary} one */
const called = ({ name, twice = 0 }) => twice === 0 ? name : `${name} (carried out twice: ${twice})`

/** @param {number} millis */
const time = (millis) => Number.isFinite(millis) ? `${round(millis, 0)} ms` : "not back"

/** @param {number | undefined} value */
const shown = (value) => value === undefined || !Number.isFinite(value) ? "-" : round(value, 0)

/**
 * The table of a fault.
 *
 * @param {ReadonlyArray<Measured>} rows
 * @param {number} within in milliseconds
 * @returns {ReadonlyArray<import("../common.mjs").Row>}
 */
export const table = (rows, within) => {
  const best = bests(rows)
  return rows.map((row, i) => {
    const one = summary(row)
    return {
      name: row.name,
      figures: {
        "ms to a good call": one.isBack ? shown(one.time) : `not in ${within / 1000} s`,
        ...one.runs === 1
          ? {}
          : { least: shown(one.least), most: shown(one.most), "came back": `${one.returned} of ${one.runs}` },
        ...Object.fromEntries(counts.map((figure) => [nameOf(figure), shown(one[figure])])),
        "MB": shown(one.memory),
        "best in": best[i]?.join(", ") ?? ""
      }
    }
  })
}
