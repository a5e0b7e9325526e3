/**
 * Whose time it was: the samples of a profile, by package and by function.
 */
import { existsSync, readFileSync } from "node:fs"
import { SourceMap } from "node:module"
import { fileURLToPath } from "node:url"

/** @typedef {import("node:inspector").Profiler.Profile} Profile */
/** @typedef {import("node:inspector").Profiler.ProfileNode} Node */
/** @typedef {{ name: string, isOurs: boolean, own: number, all: number }} Part `own`: the share of the time in it; `all`: with what it makes others do */

const ours = /\/packages\/([^/]+)\/dist\/(.*)$/
const others = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/

/** @type {Record<string, string>} */
const special = { "(garbage collector)": "garbage collection", "(program)": "native code", "(root)": "native code" }

/** @type {Map<string, SourceMap | undefined>} */
const maps = new Map()

/** The line of the source that was compiled to the end of a line. @param {string} url @param {number} line counted from 1 */
const sourceLine = (url, line) => {
  if (!maps.has(url)) {
    const file = `${fileURLToPath(url)}.map`
    maps.set(url, existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, "utf8"))) : undefined)
  }
  const found = /** @type {{ originalLine?: number }} */ (maps.get(url)?.findEntry(line - 1, 10_000) ?? {})
  return (found.originalLine ?? line - 1) + 1
}

/** Whose a function is, and where it is. @param {Node["callFrame"]} frame @param {number} busiest the line of it in which most samples are */
const placeOf = ({ functionName, url }, busiest) => {
  if (url === "") return { group: special[functionName], isOurs: false, where: "" }
  if (url.startsWith("wasm:")) return { group: "WebAssembly (undici)", isOurs: false, where: "WebAssembly" }
  if (url.startsWith("node:")) return { group: "Node.js", isOurs: false, where: url }
  const [, name, file = ""] = ours.exec(url) ?? []
  if (name !== undefined) {
    const folder = file.split("/").slice(0, -1).join("/")
    return {
      group: folder === "" ? name : `${name}/${folder}`,
      isOurs: true,
      where: `${name}/${file.replace(/js$/, "ts")}:${sourceLine(url, busiest)}`
    }
  }
  const [, library, inside = ""] = others.exec(url) ?? []
  return library === undefined
    ? { group: "the benchmark", isOurs: false, where: "the benchmark" }
    : { group: library, isOurs: false, where: `${library}/${inside}:${busiest}` }
}

/** A function, which is in a profile once for each stack. @param {Node["callFrame"]} frame */
const functionOf = ({ columnNumber, lineNumber, scriptId }) => `${scriptId}:${lineNumber}:${columnNumber}`

/** The line in which most samples of each function are. @param {ReadonlyArray<Node>} nodes @returns {Map<string, number>} */
const busiestLines = (nodes) => {
  /** @type {Map<string, Map<number, number>>} */
  const all = new Map()
  for (const { callFrame, positionTicks = [] } of nodes) {
    const lines = all.get(functionOf(callFrame)) ?? new Map([[callFrame.lineNumber + 1, 0]])
    all.set(functionOf(callFrame), lines)
    for (const { line, ticks } of positionTicks) lines.set(line, (lines.get(line) ?? 0) + ticks)
  }
  return new Map([...all].map(([name, lines]) => [name, [...lines].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? 0]))
}

/** Counts a sample. @param {Map<string, Part>} parts @param {string} name @param {boolean} isOurs @param {"own" | "all"} which */
const add = (parts, name, isOurs, which) => {
  const part = parts.get(name) ?? { name, isOurs, own: 0, all: 0 }
  part[which]++
  parts.set(name, part)
}

/**
 * The parts of the samples in which the process did something: each counts the same, because a long time between two says that other programs ran.
 * A built-in function (`JSON.parse`) counts for whoever calls it. What others do
 * (Effect, Node.js, collecting garbage) counts in `all` for the function of ours that has called them last.
 *
 * @param {Profile} profile
 * @returns {{ groups: ReadonlyArray<Part>, functions: ReadonlyArray<Part> }}
 */
export const attribute = ({ nodes, samples = [] }) => {
  const busiest = busiestLines(nodes)
  const placed = nodes.map((node) => ({
    ...node,
    ...placeOf(node.callFrame, busiest.get(functionOf(node.callFrame)) ?? 0),
    parent: 0
  }))
  const byId = new Map(placed.map((node) => [node.id, node]))
  for (const { children = [], id } of nodes) {
    for (const child of children) Object.assign(byId.get(child) ?? {}, { parent: id })
  }
  /** @type {Map<string, Part>} */
  const groups = new Map()
  /** @type {Map<string, Part>} */
  const functions = new Map()
  let total = 0
  for (const id of samples) {
    const node = byId.get(id)
    if (node === undefined || node.callFrame.functionName === "(idle)") continue
    const above = []
    for (let one = byId.get(id); one !== undefined; one = byId.get(one.parent)) above.push(one)
    // The profiler itself begins and ends.
    if (above.some(({ where }) => where === "node:inspector")) continue
    total++
    const owner = above.find(({ group }) => group !== undefined) ?? node
    const cause = above.find(({ isOurs }) => isOurs) ?? owner
    const named = (/** @type {typeof node} */ one) =>
      one.where === "" ? one.group ?? "" : `${one.callFrame.functionName || "(anonymous)"}  ${one.where}`
    const name = owner === node ? named(node) : `${node.callFrame.functionName} < ${named(owner)}`
    add(groups, owner.group ?? "", owner.isOurs, "own")
    add(groups, cause.group ?? "", cause.isOurs, "all")
    add(functions, name, owner.isOurs, "own")
    add(functions, named(cause), cause.isOurs, "all")
  }
  const shares = (/** @type {Map<string, Part>} */ parts) =>
    [...parts.values()].map((part) => ({ ...part, own: part.own / total, all: part.all / total }))
  return { groups: shares(groups), functions: shares(functions) }
}
