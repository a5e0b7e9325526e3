/**
 * Runs the server scenarios of the suite against a reference server (`reference/`), at its own URL and through each way below, and
 * compares check by check: what passes at the reference server itself passes through every way. `served.json` is the list of the
 * scenarios that the reference server passes, by revision; `unserved.json` names, for a way, the checks that fail there, with the
 * reason.
 *
 * A further way is an entry of `ways`.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { env, here, node, read, suite, together } from "./suite.mjs"

const bin = join(here, "../../packages/gateway/esm/bin.js")

/** A server at a URL, until `end`. @typedef {{ readonly url: string, readonly end: () => Promise<unknown> }} Served */

/** The line of a program's output with its own URL: a gateway also logs the URLs of its servers, before it listens if they fail. */
const ownUrl = /^(?:Serving )?(http:\S+\/mcp)$/m

/**
 * Starts a program that prints its URL.
 *
 * @param {ReadonlyArray<string>} args
 * @param {NodeJS.ProcessEnv} variables
 * @returns {Promise<Served>}
 */
const start = (args, variables = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: here, env: { ...process.env, ...variables }, stdio: "pipe" })
    const exited = new Promise((over) => child.once("exit", over))
    let output = ""
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk.toString()
      const url = ownUrl.exec(output)?.[1]
      if (url === undefined) return
      resolve({
        url,
        end: () => {
          child.kill()
          return exited
        }
      })
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    child.once("error", reject)
    child.once("exit", () => reject(new Error(`${args.join(" ")} has ended: ${output}`)))
  })

/** The gateway that stands for one server. @param {string} state @param {ReadonlyArray<string>} command */
const single = (state, ...command) =>
  start([bin, "serve", "--port", "0", "--", process.execPath, ...command], { MCP_LIFELINE_STATE: state })

/** The same in front of `wrap`, which speaks over standard input and output. @param {string} state @param {ReadonlyArray<string>} server */
const wrap = (state, ...server) => single(state, bin, "wrap", "--option", "timeouts.wait=2min", ...server)

/** The gateway in front of one server. @param {string} state @param {object} server */
const gateway = async (state, server) => {
  const config = join(state, "mcp.json")
  // With the names that the suite asks for.
  const lifeline = { timeouts: { wait: "2 min" }, prefix: "" }
  writeFileSync(config, JSON.stringify({ mcpServers: { reference: server }, lifeline }))
  return start([bin, "serve", "--port", "0", "--config", config], { MCP_LIFELINE_STATE: state })
}

/** The reference server of each revision, and of the extension for tasks, which belongs to the last of them. */
const references = {
  "2025-11-25": "reference/sessions.mjs",
  "2026-07-28": "reference/stateless.mjs",
  "extension": "reference/tasks.mjs"
}

/**
 * How a client may reach the reference server, the first of which is the measure, and the revisions in which it can.
 *
 * @type {ReadonlyArray<{
 *   readonly name: string,
 *   readonly revisions: ReadonlyArray<string>,
 *   readonly serve: (reference: string, state: string) => Promise<Served>
 * }>}
 */
const ways = [
  {
    name: "the server itself",
    revisions: Object.keys(references),
    serve: (reference) => start([reference, "http"])
  },
  {
    name: "serve -- COMMAND",
    revisions: Object.keys(references),
    serve: (reference, state) => single(state, reference, "stdio")
  },
  {
    name: "wrap of a command",
    revisions: Object.keys(references),
    serve: (reference, state) => wrap(state, "--", process.execPath, reference, "stdio")
  },
  {
    name: "wrap of a URL",
    revisions: Object.keys(references),
    serve: async (reference, state) => {
      const server = await start([reference, "http"])
      const wrapped = await wrap(state, server.url)
      return { url: wrapped.url, end: () => Promise.all([wrapped.end(), server.end()]) }
    }
  },
  {
    name: "serve of a command",
    revisions: Object.keys(references),
    serve: (reference, state) => gateway(state, { command: process.execPath, args: [join(here, reference), "stdio"] })
  },
  {
    name: "serve of a URL",
    revisions: Object.keys(references),
    serve: async (reference, state) => {
      const server = await start([reference, "http"])
      // Where a client has a session it can be asked, as long as the server is its own.
      const lifeline = reference === references["2025-11-25"] ? { sessions: "per-client" } : {}
      const served = await gateway(state, { type: "http", url: server.url, lifeline })
      return { url: served.url, end: () => Promise.all([served.end(), server.end()]) }
    }
  }
]

/** What the checks of a scenario said; a check may be made more than once. @typedef {Map<string, Array<{ readonly status: string, readonly errorMessage?: string }>>} Checks */

/** @param {ReadonlyArray<{ id: string, name: string, status: string, errorMessage?: string }>} results @returns {Checks} */
const byCheck = (results) => {
  /** @type {Checks} */
  const checks = new Map()
  for (const { id, name, ...result } of results) {
    const key = `${id} ${name}`
    checks.set(key, [...checks.get(key) ?? [], result])
  }
  return checks
}

/**
 * Plays scenarios against a URL.
 *
 * @param {string} url
 * @param {string} revision
 * @param {string | undefined} scenario
 * @param {ReadonlyArray<string>} options of Node.js
 * @returns {Promise<Map<string, Checks>>}
 */
const play = async (url, revision, scenario, options = []) => {
  const folder = mkdtempSync(join(tmpdir(), "lifeline-conformance-"))
  try {
    const child = spawn(node, [
      ...options,
      suite,
      "server",
      "--url",
      url,
      ...(scenario === undefined ? ["--suite", "all"] : ["--scenario", scenario]),
      ...(revision === "extension" ? ["--spec-version", "2026-07-28", "--force"] : ["--spec-version", revision]),
      // The suite ends a scenario after 30 s, which one that is played again may take on a busy machine.
      "--timeout",
      "300000",
      "-o",
      folder
    ], { cwd: here, stdio: "ignore", env })
    const timer = setTimeout(() => child.kill("SIGKILL"), 600_000)
    await new Promise((over) => child.once("exit", over))
    clearTimeout(timer)
    return new Map(
      readdirSync(folder)
        // A scenario that is not for this revision has a folder without checks.
        .filter((name) => existsSync(join(folder, name, "checks.json")))
        .map((name) => [
          name.replace(/^server-(.*)-\d{4}-\d\d-\d\dT.*$/, "$1"),
          byCheck(JSON.parse(readFileSync(join(folder, name, "checks.json"), "utf8")))
        ])
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string} status */
const isFailure = (status) => status === "FAILURE"

/** Whether a scenario passes, by the suite's own measure. @param {Checks | undefined} checks */
const passes = (checks) => checks !== undefined && ![...checks.values()].flat().some(({ status }) => isFailure(status))

/**
 * What passes at the server itself and not through a way. `INFO` says that there was nothing to look at: no stream, for example, where the
 * answer is JSON.
 *
 * @param {Checks | undefined} direct
 * @param {Checks | undefined} through
 */
const lost = (direct, through) =>
  [...direct ?? []].flatMap(([check, results]) => {
    const passed = results.some(({ status }) => status === "SUCCESS")
    const others = through?.get(check) ?? []
    if (!passed || others.length > 0 && others.every(({ status }) => status === "SUCCESS" || status === "INFO")) {
      return []
    }
    const why = others.find(({ status }) => status !== "SUCCESS" && status !== "INFO")
    // What goes wrong in a scenario itself is a check of its own, in place of those that are left.
    const ending = [...through?.values() ?? []].flat().find(({ status }) => isFailure(status))?.errorMessage
    return [{ check, why: why?.errorMessage ?? why?.status ?? `not made${ending === undefined ? "" : `: ${ending}`}` }]
  })

/** What the reference server passes, by revision. @type {Readonly<Record<string, ReadonlyArray<string>>>} */
const served = read("served.json")
/**
 * What does not pass a way, by `WAY: REVISION SCENARIO`: the beginnings of the names of such checks, and the reason.
 *
 * @type {Readonly<Record<string, { readonly checks: ReadonlyArray<string>, readonly why: string }>>}
 */
const unserved = read("unserved.json")

/** The suite gives an answer seconds, and then takes it for missing: a scenario that fails is played again, with windows of ten times the length. */
const wider = ["--import", new URL("windows.mjs", import.meta.url).href]

/**
 * Plays scenarios by a way.
 *
 * @param {typeof ways[number]} way
 * @param {string} revision
 * @param {string} reference
 * @param {ReadonlyArray<string> | undefined} names undefined: all
 * @param {(played: Checks | undefined, scenario: string) => boolean} isGood
 * @returns {Promise<Map<string, Checks>>}
 */
const playBy = async (way, revision, reference, names, isGood) => {
  /** What has been played before has left nothing. @template A @param {(url: string) => Promise<A>} use */
  const anew = async (use) => {
    const state = mkdtempSync(join(tmpdir(), "lifeline-conformance-state-"))
    const { end, url } = await way.serve(reference, state)
    try {
      return await use(url)
    } finally {
      await end()
      rmSync(state, { recursive: true, force: true })
    }
  }
  /** @type {Map<string, Checks>} */
  const played = new Map()
  await anew(async (url) => {
    for (const name of names ?? [undefined]) {
      for (const [scenario, checks] of await play(url, revision, name)) played.set(scenario, checks)
    }
  })
  for (const [scenario, checks] of played) {
    if (isGood(checks, scenario)) continue
    console.log(`${revision}  played again: ${scenario}  ${way.name}`)
    const again = await anew((url) => play(url, revision, scenario, wider))
    played.set(scenario, again.get(scenario) ?? checks)
  }
  return played
}

/**
 * Plays them all, or those that are named.
 *
 * @param {ReadonlyArray<string>} names
 * @param {ReadonlyArray<string>} tasks the scenarios of the extension
 * @returns {Promise<{ readonly passed: number, readonly expected: number, readonly complaints: ReadonlyArray<string> }>}
 */
export const run = async (names, tasks) => {
  /** @type {Array<string>} */
  const complaints = []
  let passed = 0
  let expected = 0
  const isAsked = (/** @type {string} */ name) => names.length === 0 || names.includes(name)
  /** What is played of each. @type {(revision: string) => ReadonlyArray<string> | undefined} */
  const namesOf = (revision) => {
    if (revision === "extension") return tasks.filter(isAsked)
    return names.length === 0 ? undefined : names.filter((name) => !tasks.includes(name))
  }
  const revisions = Object.entries(references).filter(([revision]) => namesOf(revision)?.length !== 0)
  const [measure, ...others] = ways
  if (measure === undefined) throw new Error("no way")
  const say = (/** @type {string} */ revision, /** @type {Map<string, Checks>} */ played, /** @type {string} */ way) =>
    console.log(`${revision}  ${[...played.values()].filter(passes).length} of ${played.size} pass  ${way}`)

  /** What the reference server itself passes, by revision. @type {Map<string, Map<string, Checks>>} */
  const direct = new Map()
  await together(revisions.map(([revision, reference]) => async () => {
    const listed = served[revision] ?? []
    const played = await playBy(measure, revision, reference, namesOf(revision), passes)
    direct.set(revision, played)
    for (const name of names.length === 0 ? new Set([...listed, ...played.keys()]) : played.keys()) {
      const key = `${measure.name}: ${revision} ${name}`
      const isListed = listed.includes(name)
      if (isListed) expected++
      if (!passes(played.get(name))) {
        if (isListed) complaints.push(`${key}: fails`)
      } else if (isListed) passed++
      else complaints.push(`${key}: passes; write it into served.json`)
    }
    say(revision, played, measure.name)
  }))

  const cases = revisions.flatMap(([revision, reference]) =>
    others.filter((way) => way.revisions.includes(revision)).map((way) => ({ revision, reference, way }))
  )
  await together(cases.map(({ reference, revision, way }) => async () => {
    /** What is lost on the way, and what of it has no excuse. @param {Checks | undefined} checks @param {string} name */
    const compared = (checks, name) => {
      const problems = lost(direct.get(revision)?.get(name), checks)
      const excused = unserved[`${way.name}: ${revision} ${name}`]?.checks ?? []
      const left = problems.filter(({ check }) => !excused.some((beginning) => check.startsWith(beginning)))
      return { isExcused: excused.length > 0, problems, left }
    }
    const played = await playBy(
      way,
      revision,
      reference,
      namesOf(revision),
      (checks, name) => compared(checks, name).left.length === 0
    )
    for (const name of names.length === 0 ? served[revision] ?? [] : played.keys()) {
      if (!(served[revision] ?? []).includes(name)) continue
      const key = `${way.name}: ${revision} ${name}`
      expected++
      const { isExcused, left, problems } = compared(played.get(name), name)
      if (isExcused && problems.length === 0) complaints.push(`${key}: passes; take it out of unserved.json`)
      else if (left.length === 0) passed++
      else complaints.push(`${key}: ${left.map(({ check, why }) => `${check}: ${why}`).join("; ")}`)
    }
    say(revision, played, way.name)
  }))
  return { passed, expected, complaints }
}
