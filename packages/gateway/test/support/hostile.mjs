// oxlint-disable unicorn/require-post-message-target-origin -- a worker has no origin
/**
 * Runs in a worker: each regular expression on texts that would take a superlinear one minutes. Says before each text what it is about to try, so
 * that the test knows what it was when it is ended.
 */
import { parentPort, workerData } from "node:worker_threads"

/** What takes longer than a few milliseconds at the first length is looked at again at the second, at which it would take minutes. */
const lengths = { first: 50_000, second: 400_000 }
const suspicious = 10

const candidates = ["a", "1", " ", "-", "=", ";", "?", "/", ".", "{", "\u0007", "\n", '"', "_", ":", "$", "\u00e9"]

/** A character that a class has. */
const ofClass = (/** @type {string} */ source, /** @type {string} */ flags) => {
  const found = candidates.find((one) => new RegExp(`^${source}$`, flags.includes("u") ? "u" : "").test(one))
  return found ?? "a"
}

const escapes = {
  s: " ",
  d: "1",
  w: "a",
  S: "a",
  D: "a",
  W: " ",
  b: "",
  B: "",
  n: "\n",
  r: "\r",
  t: "\t",
  p: "\u0007",
  P: "a",
  v: "\v",
  f: "\f",
  0: "\0"
}

/** What the atoms of a pattern stand for, in order, those of groups among them. */
const atomsOf = (/** @type {string} */ source, /** @type {string} */ flags) => {
  /** @type {Array<string>} */
  const atoms = []
  for (let at = 0; at < source.length;) {
    const rest = source.slice(at)
    const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(rest)
    const unicode = /^\\u\{?([0-9a-fA-F]{4,6})\}?|^\\x([0-9a-fA-F]{2})/.exec(rest)
    const group = /^\((?:\?(?:[:=!]|<[=!]|<\w+>))?/.exec(rest)
    if (quantifier !== null && atoms.length > 0) at += quantifier[0].length
    else if (unicode !== null) {
      atoms.push(String.fromCodePoint(Number.parseInt(unicode[1] ?? unicode[2] ?? "41", 16)))
      at += unicode[0].length
    } else if (rest[0] === "\\") {
      const property = /^\\[pP]\{[^}]*\}|^\\k<\w+>/.exec(rest)
      const one = rest[1] ?? ""
      atoms.push(Object.hasOwn(escapes, one) ? escapes[/** @type {"s"} */ (one)] : one)
      at += property?.[0].length ?? 2
    } else if (rest[0] === "[") {
      let end = 1
      while (end < rest.length && rest[end] !== "]") end += rest[end] === "\\" ? 2 : 1
      atoms.push(ofClass(rest.slice(0, end + 1), flags))
      at += end + 1
    } else if (group !== null) at += group[0].length
    else if (rest[0] === ")" || rest[0] === "|" || rest[0] === "^" || rest[0] === "$") at++
    else {
      atoms.push(rest[0] === "." ? "a" : rest[0] ?? "")
      at++
    }
  }
  return atoms.filter((atom) => atom !== "")
}

const times = (/** @type {string} */ unit, /** @type {number} */ length) => unit.repeat(Math.ceil(length / unit.length))

/** Texts that begin as a match does, and never end as one. */
const attacks = (/** @type {string} */ source, /** @type {string} */ flags) => {
  /** @type {Map<string, readonly [prefix: string, unit: string]>} */
  const all = new Map()
  const add = (/** @type {string} */ prefix, /** @type {string} */ unit) =>
    all.set(`${prefix}\0${unit}`, [prefix, unit])
  add("", "a ")
  let begun = ""
  for (const atom of atomsOf(source, flags)) {
    for (const prefix of ["", "\u0002", begun]) add(prefix, atom)
    begun += atom
    for (const unit of [begun, `${begun}-`, `${begun} `]) add("", unit)
  }
  return [...all.values()]
}

const run = (/** @type {RegExp} */ all, /** @type {string} */ text) => {
  const start = performance.now()
  all.lastIndex = 0
  if (all.sticky) all.test(text)
  else text.replace(all, "")
  return performance.now() - start
}

for (const { flags, source, where } of /** @type {Array<any>} */ (workerData)) {
  const all = new RegExp(source, flags.includes("g") || flags.includes("y") ? flags : `${flags}g`)
  for (const [prefix, unit] of attacks(source, flags)) {
    for (const suffix of ["\u0001\n", ""]) {
      // Each text has its own time: a pattern with many atoms has many, on a busy machine.
      parentPort?.postMessage(`${where} /${source}/${flags}`)
      const text = prefix + times(unit, lengths.first) + suffix
      // The second time tells what was slow from what was held up.
      if (run(all, text) > suspicious && run(all, text) > suspicious) {
        run(all, prefix + times(unit, lengths.second) + suffix)
      }
    }
  }
}
parentPort?.postMessage("done")
