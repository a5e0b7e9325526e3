/** The official SDK's own tests, file by file, as `pnpm test:release sdk` writes them to build: docs/compatibility/sdk-tests-v1.json and -v2. */
import { copyFileSync, existsSync } from "node:fs"
import { number, table } from "./page.mjs"
import { root, textOf } from "./proof.mjs"

/**
 * Tests of a file in which Lifeline connected something. `better` pass although the SDK lists them as failing.
 *
 * @typedef {object} Run
 * @property {number} tests
 * @property {number} passes
 * @property {ReadonlyArray<string>} better
 * @property {ReadonlyArray<Failed>} fails
 */
/** @typedef {{ readonly kind: keyof typeof kinds | "unknown", readonly why?: string, readonly tests: ReadonlyArray<string> }} Failed */
/** @typedef {{ readonly file: string, readonly tests: number, readonly passes: number, readonly fails?: ReadonlyArray<string>, readonly why?: string, readonly ways?: Readonly<Record<string, Run>> }} File */
/** @typedef {{ readonly date: string, readonly commit: string, readonly sdk: string, readonly node: string, readonly files: ReadonlyArray<File> }} SdkTests */

/** What stands in the place of the SDK's Client. */
const ways = { supervised: "official Client over `supervisedTransport`", connect: "client of `connect`" }
/** Why a test can fail, and what that says of Lifeline. */
export const kinds = {
  differs: "differs from the official Client, on purpose",
  inside: "the test looks into the Client or its transport",
  fault: "a fault of Lifeline that is not mended yet",
  mended: "a fault of Lifeline that was mended after the run",
  stage: "the way in which the test is set up"
}

/** The SDK's versions whose tests run. */
export const versions = /** @type {const} */ (["v1", "v2"])
/** @typedef {typeof versions[number]} Version */

/** @param {Version} version */
const nameOf = (version) => `sdk-tests-${version}.json`
/** @param {Version} version */
const keptOf = (version) => `docs/compatibility/${nameOf(version)}`

/** Keeps the last runs. @returns {string} */
export const keep = () => {
  const own = versions.filter((version) => existsSync(`${root}build/${nameOf(version)}`))
  for (const version of own) copyFileSync(`${root}build/${nameOf(version)}`, `${root}${keptOf(version)}`)
  return own.map(keptOf).join(" and ")
}

/** @param {Version} version @returns {SdkTests | undefined} */
export const read = (version) => {
  const text = textOf(keptOf(version))
  return text === undefined ? undefined : JSON.parse(text)
}

/** What is wrong with the results, one text each. @param {ReadonlyArray<File>} files */
export const problems = (files) =>
  files.flatMap(({ file, ways: runs, why }) =>
    [
      ...runs === undefined && (why === undefined || why === "unknown")
        ? ["says not why Lifeline has no part in it"]
        : [],
      ...Object.entries(runs ?? {}).flatMap(([way, { better, fails, passes, tests }]) => [
        ...way in ways ? [] : [`${way} is no way`],
        ...passes + better.length + fails.flatMap((one) => one.tests).length === tests
          ? []
          : [`${way}: does not add up`],
        ...fails.flatMap(({ kind, tests, why }) =>
          kind in kinds && why !== undefined ? [] : [`${way}: ${tests.join()} fails, for no known reason`]
        )
      ])
    ].map((problem) => `${file}: ${problem}`)
  )

/** @param {ReadonlyArray<File>} files @param {string} way */
const runs = (files, way) => files.flatMap(({ ways: own }) => own?.[way] ?? [])

/** @param {ReadonlyArray<Run>} all @param {(run: Run) => number} of */
const sum = (all, of) => all.reduce((total, run) => total + of(run), 0)
const failed = (/** @type {Run} */ { fails }) => fails.flatMap(({ tests }) => tests).length

/** Those in which it ran. @param {ReadonlyArray<File>} files */
const waysOf = (files) => Object.entries(ways).filter(([way]) => runs(files, way).length > 0)

/** @param {ReadonlyArray<File>} files */
const totals = (files) =>
  table(
    [
      "In the place of the Client",
      "Tests in which it connects",
      "Pass",
      "Pass, and the SDK lists them as failing",
      "Do not pass"
    ],
    [
      [
        "nothing: the tests as they are",
        ...[
          files.reduce((n, { tests }) => n + tests, 0),
          files.reduce((n, { passes }) => n + passes, 0),
          0,
          files.reduce((n, { passes, tests }) => n + tests - passes, 0)
        ].map(number)
      ],
      ...waysOf(files).map(([way, name]) => {
        const all = runs(files, way)
        return [
          name,
          ...[
            sum(all, ({ tests }) => tests),
            sum(all, ({ passes }) => passes),
            sum(all, ({ better }) => better.length),
            sum(all, failed)
          ].map(number)
        ]
      })
    ]
  )

/** @param {Run | undefined} run */
const shown = (run) =>
  run === undefined
    ? ""
    : [
      `**${run.passes} of ${run.tests}**`,
      ...run.better.length === 0 ? [] : [`${run.better.length} more than in the SDK`]
    ].join(", ")

/** @param {string} file */
const shortOf = (file) => file.replace(/^test\//, "")

/** @param {ReadonlyArray<File>} files */
const byFile = (files) =>
  table(
    ["File", "As they are", ...waysOf(files).map(([, name]) => name), "Lifeline has no part in it"],
    files.map(({ file, passes, tests, ways: own, why = "" }) => [
      `\`${shortOf(file)}\``,
      `${passes} of ${tests}`,
      ...waysOf(files).map(([way]) => shown(own?.[way])),
      why
    ])
  )

/** The most names that a line shows. */
const most = 40

/** One line for each reason, with how many tests it is for. @param {Version} version @param {ReadonlyArray<File>} files */
const differences = (version, files) => {
  const all = files.flatMap(({ ways: own = {} }) => Object.values(own).flatMap(({ fails }) => fails))
  const reasons = [...new Set(all.map(({ why = "" }) => why))]
  return Object.entries(kinds).flatMap(([kind, what]) => {
    const own = reasons.filter((why) => all.some((one) => one.why === why && one.kind === kind))
    if (own.length === 0) return []
    const count = (/** @type {string} */ way, /** @type {string} */ why) =>
      sum(runs(files, way), ({ fails }) => fails.filter((one) => one.why === why).flatMap(({ tests }) => tests).length)
    const testsOf = (/** @type {string} */ why) => {
      const each = files.map(({ file, ways: own = {} }) => ({
        file,
        names: new Set(
          Object.values(own).flatMap(({ fails }) => fails.filter((one) => one.why === why)).flatMap(({ tests }) =>
            tests
          )
            .map((name) => name.replace(/ \[[\w -]+\]/, ""))
        )
      })).filter((one) => one.names.size > 0)
      const names = [...new Set(each.flatMap((one) => [...one.names]))]
      return names.length <= most
        ? names.map((name) => `\`${name}\``).join(", ")
        : `${names.length}, in ${each.map((one) => `\`${shortOf(one.file)}\` (${one.names.size})`).join(", ")}`
    }
    return [
      `#### ${version}: ${what}`,
      table(
        ["Why", ...waysOf(files).map(([, name]) => name), "Tests"],
        own.map((why) => [
          why,
          ...waysOf(files).map(([way]) => count(way, why)),
          testsOf(why)
        ])
      )
    ]
  }).join("\n\n")
}

/** @param {Version} version @returns {string} */
const partOf = (version) => {
  const results = read(version)
  if (results === undefined) return `### ${version}\n\nNo run is kept yet.`
  const { commit, date, files, node, sdk } = results
  const wrong = problems(files)
  if (wrong.length > 0) throw new Error(`${keptOf(version)}:\n${wrong.join("\n")}`)
  const alone = files.flatMap(({ fails = [] }) => fails)
  return [
    `### ${version}`,
    `Tag \`${sdk}\`, ${date}, commit \`${commit}\`, Node.js ${node.slice(1)}: \`pnpm test:release sdk --sdk FOLDER\`.`,
    totals(files),
    ...alone.length === 0
      ? []
      : [
        `Without Lifeline, too, this does not pass on the machine of this run: ${
          alone.map((name) => `\`${name}\``).join(", ")
        }.`
      ],
    differences(version, files),
    `#### ${version}: by file`,
    byFile(files)
  ].join("\n\n")
}

/** @returns {string} */
export const part = () => versions.map(partOf).join("\n\n")
