/**
 * Runs every client scenario of the published conformance suite against Lifeline, in each revision of the protocol that it is for, and
 * against the bare official Clients, v1 and v2, where Lifeline fails (with `--both` everywhere). Compares with `passing.json`, the
 * scenarios that Lifeline passes, by revision. Fails when
 *
 * - one of the list does not pass, or is no longer in the suite: the list cannot shrink unseen;
 * - an official Client passes one that Lifeline does not, unless `missing.json` says why;
 * - Lifeline passes one that is not in the list: then write it in.
 *
 * Every scenario is played once more through `mcp-lifeline wrap URL`, which an official Client has started (`wrap.mjs`), in the last
 * revision that it is for, and compared with `wrapped.json`.
 *
 * The server scenarios are played against a reference server, and through `wrap` in front of it (`servers.mjs`).
 *
 *     node tools/conformance/run.mjs [scenario...] [--both] [--verbose]
 */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { capture } from "../run.mjs"
import * as servers from "./servers.mjs"
import { env, here, node, read, suite, together } from "./suite.mjs"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { both: { type: "boolean", default: false }, verbose: { type: "boolean", default: false } }
})

/** By revision. @type {Readonly<Record<string, ReadonlyArray<string>>>} */
const passing = read("passing.json")
const expected = Object.entries(passing).flatMap(([version, names]) => names.map((name) => `${version} ${name}`))
/** What an official Client passes and Lifeline does not, with the reason. @type {Readonly<Record<string, string>>} */
const missing = read("missing.json")

/**
 * Scenarios that measure time, in tenths of a second and whatever else the machine does: no other one runs beside them,
 * and they are played up to three times. A client that does not keep the time fails all of them.
 */
const timed = new Set(["sse-retry"])
const tries = 3

/** For hangs: on a busy machine a client and its servers start slowly. A client that hangs ends itself before. */
const limit = 180_000
/** How long a client has that is to pass, and one that is not, which mostly waits for what never comes; in milliseconds. */
const [patience, patienceInVain] = [150_000, 25_000]

/** Revisions that are played; what is for none of them is played in the last that it is for. */
const revisions = new Set(["2025-11-25", "2026-07-28"])

/** @typedef {{ readonly name: string, readonly version: string }} Scenario */
/** How the lists call it. @param {Scenario} scenario */
const keyOf = ({ name, version }) => `${version} ${name}`

/**
 * Whether a client passes a scenario, and what the suite said.
 *
 * @param {"lifeline" | "official" | "official2" | "wrap"} client
 * @param {Scenario} scenario
 * @param {boolean} isExpected
 * @returns {Promise<{ readonly passed: boolean, readonly output: string }>}
 */
const play = (client, scenario, isExpected) =>
  new Promise((resolve, reject) => {
    // The suite splits its command at spaces and gives it to a shell: what it needs comes as variables.
    const child = spawn(node, [
      suite,
      "client",
      "--command",
      // Lifeline as it is published, which loads in a third of the time.
      '"$CONFORMANCE_NODE" --conditions=published "$CONFORMANCE_CLIENT"',
      "--scenario",
      scenario.name,
      ...(scenario.version === "extension" ? [] : ["--spec-version", scenario.version]),
      "--timeout",
      String(limit)
    ], {
      cwd: here,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...env,
        CONFORMANCE_NODE: process.execPath,
        CONFORMANCE_CLIENT: join(here, `${client}.mjs`),
        CONFORMANCE_PATIENCE: String(isExpected ? patience : patienceInVain)
      }
    })
    let output = ""
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk.toString()
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    // A suite that cannot end its own servers.
    const timer = setTimeout(() => child.kill("SIGKILL"), limit + 10_000)
    child.once("error", reject)
    child.once("close", (code) => {
      clearTimeout(timer)
      resolve({ passed: code === 0, output })
    })
  })

const listing = await capture(node, [suite, "list", "--client"], { cwd: here })
/** @type {ReadonlyArray<Scenario>} */
const all = [...listing.matchAll(/^ {2}- (\S+) \[(.*)\]/gm)].flatMap(([, name = "", list = ""]) => {
  const versions = list.split(",")
  const played = versions.filter((version) => revisions.has(version))
  return (played.length === 0 ? versions.slice(-1) : played).map((version) => ({ name, version }))
})
const scenarios = positionals.length === 0 ? all : all.filter(({ name }) => positionals.includes(name))
const known = new Set(all.map(keyOf))

/** @type {Array<string>} */
const complaints = []
let passed = 0
for (const scenario of expected) {
  if (!known.has(scenario)) complaints.push(`${scenario}: not in the suite any more`)
}

/** By way and revision. @type {Map<string, { all: number, passes: number }>} */
const counts = new Map()
/** @param {string} way @param {Scenario} scenario @param {boolean} passed */
const count = (way, { version }, passed) => {
  const line = `${way}, ${version}`
  const { all, passes } = counts.get(line) ?? { all: 0, passes: 0 }
  counts.set(line, { all: all + 1, passes: passes + Number(passed) })
}

/** Plays a scenario that is timed until it passes, at most so many times. @param {"lifeline" | "wrap"} client @param {Scenario} scenario @param {boolean} listed */
const playTimed = async (client, scenario, listed) => {
  let played = await play(client, scenario, listed)
  for (let left = tries - 1; timed.has(scenario.name) && !played.passed && left > 0; left--) {
    console.log(`${client.padEnd(8)} fails                     ${keyOf(scenario)}, played again\n${played.output}`)
    played = await play(client, scenario, listed)
  }
  return played
}

/** @param {Scenario} scenario */
const compare = async (scenario) => {
  const key = keyOf(scenario)
  const listed = expected.includes(key)
  const lifeline = await playTimed("lifeline", scenario, listed)
  const isMeasured = values.both || !(lifeline.passed || key in missing)
  const official = isMeasured ? await play("official", scenario, listed) : undefined
  const official2 = isMeasured ? await play("official2", scenario, listed) : undefined
  const mark = (/** @type {boolean | undefined} */ passed) =>
    passed === undefined ? "not run" : passed ? "passes " : "fails  "
  console.log(`lifeline ${mark(lifeline.passed)}  v1 ${mark(official?.passed)}  v2 ${mark(official2?.passed)}  ${key}`)
  count("connect", scenario, lifeline.passed)
  if (lifeline.passed && listed) passed++
  if (!lifeline.passed && listed) complaints.push(`${key}: is in passing.json and fails`)
  else if (!lifeline.passed && !(key in missing) && (official?.passed || official2?.passed)) {
    complaints.push(`${key}: an official Client passes it`)
  } else if (lifeline.passed && key in missing) complaints.push(`${key}: passes; take it out of missing.json`)
  else if (lifeline.passed && !listed) complaints.push(`${key}: passes; write it into passing.json`)
  else if (!values.verbose) return
  for (const [name, played] of Object.entries({ lifeline, official, official2 })) {
    if (played !== undefined) console.log(`--- ${name}, ${key}\n${played.output}`)
  }
}

/** What passes through wrap. @type {ReadonlyArray<string>} */
const wrapped = read("wrapped.json")
const names = new Set(all.map(({ name }) => name))
for (const name of wrapped) if (!names.has(name)) complaints.push(`wrap ${name}: not in the suite any more`)

/** @param {Scenario} scenario */
const throughWrap = async (scenario) => {
  const listed = wrapped.includes(scenario.name)
  const { output, passed: passes } = await playTimed("wrap", scenario, listed)
  console.log(`wrap     ${passes ? "passes " : "fails  "}                            ${scenario.name}`)
  count("wrap of a URL", scenario, passes)
  if (passes && listed) passed++
  if (passes && !listed) complaints.push(`wrap ${scenario.name}: passes; write it into wrapped.json`)
  else if (!passes && listed) complaints.push(`wrap ${scenario.name}: is in wrapped.json and fails`)
  if (passes !== listed || values.verbose) console.log(`--- wrap, ${scenario.name}\n${output}`)
}

/** Each once, in the last revision that it is for. */
const once = [...new Map(scenarios.map((scenario) => [scenario.name, scenario])).values()]

/** @typedef {{ readonly name: string, readonly listed: boolean, readonly run: () => Promise<void> }} Play */
/** Those that wait in vain are begun first, then logins, which wait too. @param {Play} play */
const rank = ({ listed, name }) => listed ? name.startsWith("auth/") ? 1 : 2 : 0
/** @type {ReadonlyArray<Play>} */
const plays = [
  ...scenarios.map((scenario) => ({
    name: scenario.name,
    listed: expected.includes(keyOf(scenario)),
    run: () => compare(scenario)
  })),
  ...once.map((scenario) => ({
    name: scenario.name,
    listed: wrapped.includes(scenario.name),
    run: () => throughWrap(scenario)
  }))
]
for (const { name, run } of plays) if (timed.has(name)) await run()
const others = plays.filter(({ name }) => !timed.has(name)).toSorted((a, b) => rank(a) - rank(b))

const ofServers = [...(await capture(node, [suite, "list", "--server"], { cwd: here })).matchAll(/^ {2}- (\S+) /gm)]
const serverNames = ofServers.map(([, name = ""]) => name).filter((name) => positionals.includes(name))
/** Without the one whose only check the suite itself skips. */
const tasks = ofServers.map(([, name = ""]) => name).filter((name) =>
  name.startsWith("tasks-") && name !== "tasks-status-notifications"
)
let served = { passed: 0, expected: 0 }
const serve = async () => {
  if (positionals.length > 0 && serverNames.length === 0) return
  const { complaints: more, ...counts } = await servers.run(serverNames, tasks)
  served = counts
  complaints.push(...more)
}
await together([serve, ...others.map(({ run }) => run)])
passed += served.passed

for (const complaint of complaints) console.error(complaint)
console.log(`${passed} of ${expected.length + wrapped.length + served.expected} in the lists pass`)
for (const [line, { all, passes }] of [...counts].toSorted()) console.log(`${line}: ${passes} of ${all} pass`)
process.exitCode = complaints.length === 0 ? 0 : 1
