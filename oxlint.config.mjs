/**
 * What oxlint refuses. Imports go one way: between packages (`takes`), and down the rows of folders of each package (`rows`), types too.
 * `docs/internals/architecture.md` draws both.
 */
import { posix } from "node:path"

/** Which of our packages a package may import. */
const takes = {
  core: [],
  state: [],
  extensions: ["core"],
  protocol: ["core"],
  testing: ["core"],
  opentelemetry: ["core"],
  config: ["core", "extensions"],
  "transport-stdio": ["core", "protocol"],
  "transport-http": ["core", "protocol"],
  "http-server": ["core", "protocol", "state"],
  "sign-in": ["core", "protocol", "state", "transport-http"],
  cluster: ["core", "http-server", "protocol", "state", "transport-http"],
  promise: [
    "config",
    "core",
    "extensions",
    "opentelemetry",
    "protocol",
    "sign-in",
    "state",
    "transport-http",
    "transport-stdio"
  ],
  effect4: ["promise"],
  gateway: [
    "cluster",
    "config",
    "core",
    "extensions",
    "http-server",
    "opentelemetry",
    "promise",
    "protocol",
    "sign-in",
    "state",
    "transport-http",
    "transport-stdio"
  ]
}

/** Of the SDK, these take types only. */
const typesOfSdk = new Set(["core", "extensions", "config", "effect4"])

/** These work with no backend from within. */
const withoutInternal = new Set(["config", "transport-stdio", "http-server", "testing", "opentelemetry"])

/**
 * The folders and modules of a package, from the top: each imports only from lower rows. `.` is all modules at the top of a package. A
 * module that no row names may import what it likes, short of a cycle.
 *
 * @type {Readonly<Record<string, ReadonlyArray<string>>>}
 */
export const rows = {
  core: [
    "Backend.ts Fleet.ts Handle.ts Routing.ts index.ts internal.ts options.ts text.ts toolkit.ts types.ts",
    "fleet",
    "backend",
    "supervisor",
    "supervisor/step calls discovery",
    "health",
    "state",
    "options observe runtime",
    "port",
    "Errors.ts",
    "Reasons.ts",
    "catalog lifecycle",
    "internal"
  ],
  cluster: ["index.ts ClusterBackend.ts ClusterServer.ts testing", "sessions", "hop", "state", "postgres"],
  extensions: ["index.ts ServerOptions.ts Filters.ts Pins.ts internal.ts", "filters pins"],
  "http-server": ["index.ts McpEndpoint.ts StatelessRequests.ts", "eras"],
  promise: ["index.ts connect.ts connectAll.ts supervisedTransport.ts within.ts", "internal"],
  protocol: ["index.ts AutoConnection.ts Binding.ts SdkConnection.ts TransportConnector.ts", "relay"],
  testing: ["index.ts ScriptedConnector.ts HttpFaultServer.ts", "internal"],
  gateway: [
    ".",
    "commands login check adopt",
    "serve",
    "page page/browser",
    "http-api clients join",
    "pool wrap",
    "cache audit",
    "config",
    "sign-in",
    "access replica",
    "conversation log instances files demo",
    "text document",
    "commandLine process"
  ]
}

const name = (/** @type {string} */ folder) =>
  folder === "gateway" ? "mcp-lifeline" : `@mcp-lifeline/${folder === "promise" ? "client" : folder}`

const own = [
  {
    regex: String.raw`^\.\.?/(.*/)?index\.js$`,
    message: "Import the module itself: barrels are for users of the package."
  },
  { regex: String.raw`^\.\.?/.*/src/`, message: "Import another package by its name." }
]

/** What none of the modules of a package imports. @param {keyof typeof takes} folder */
const ofPackage = (folder) => {
  const refused = Object.keys(takes).filter((other) => !takes[folder].some((taken) => taken === other)).map(name)
  const taken = takes[folder].length === 0 ? "nothing of Lifeline" : `only ${takes[folder].map(name).join(", ")}`
  return [
    { regex: `^(${refused.join("|")})(/|$)`, message: `${name(folder)} takes ${taken}.` },
    ...own,
    ...typesOfSdk.has(folder)
      ? [{
        regex: "^@modelcontextprotocol/",
        allowTypeImports: true,
        message: `${folder} takes only types from the SDK.`
      }]
      : folder === "state"
      ? [{ regex: "^@modelcontextprotocol/", message: "state takes nothing of the SDK." }]
      : [],
    ...withoutInternal.has(folder)
      ? [{
        regex: "^@mcp-lifeline/core/internal$",
        message: "core/options and core/text have what this may know of core."
      }]
      : [],
    // The regular expressions of oxlint cannot look ahead.
    ...folder === "core"
      ? [{ regex: "^([^.e@]|e[^f]|@[^m]|@mcp|effect[^/])", message: "core takes effect, and types from the SDK." }]
      : []
  ]
}

/** A regular expression for how modules of one folder name what is in another, or a module. @param {string} from @param {string} to */
const specifier = (from, to) => {
  const path = posix.relative(from, to.replace(/\.ts$/, ""))
  const written = path === "" ? "." : path.startsWith("..") ? path : `./${path}`
  const end = to.endsWith(".ts") ? String.raw`\.js` : String.raw`/[^/]+\.js`
  return `^${written.replaceAll(".", String.raw`\.`)}${end}$`
}

const refuse = (/** @type {string} */ glob, /** @type {ReadonlyArray<object>} */ patterns) => ({
  files: [`packages/${glob}`],
  rules: { "no-restricted-imports": ["error", { patterns }] }
})

const directions = Object.keys(takes).flatMap((folder) => {
  const base = ofPackage(/** @type {keyof typeof takes} */ (folder))
  const placed = (rows[folder] ?? []).map((row) => row.split(" "))
  return [
    refuse(`${folder}/src/**`, base),
    ...placed.flatMap((row, index) =>
      row.filter((place) => place !== "." && (index > 0 || !place.endsWith(".ts"))).map((place) => {
        const from = place.endsWith(".ts") ? posix.dirname(place) : place
        const above = placed.slice(0, index + 1).flat().filter((other) => other !== place)
        return refuse(`${folder}/src/${place.endsWith(".ts") ? place : `${place}/*.ts`}`, [
          ...base,
          ...above.map((other) => ({
            regex: specifier(from, other),
            message: `${place} stands below or beside ${
              other === "." ? "the modules at the top" : other
            }: see rows in oxlint.config.mjs.`
          }))
        ])
      })
    )
  ]
})

export default {
  plugins: ["typescript", "unicorn", "oxc", "import", "node", "promise", "vitest"],
  categories: { correctness: "error", suspicious: "error", perf: "error" },
  env: { es2024: true, node: true },
  ignorePatterns: ["**/dist/**", "**/build/**", "packages/*/esm/**", "packages/*/cjs/**", "**/node_modules/**"],
  rules: {
    "import/no-cycle": ["error", { ignoreTypes: false }],
    "no-await-in-loop": "off",
    "no-shadow": "off",
    "no-underscore-dangle": "off",
    "unicorn/consistent-function-scoping": "off",
    "promise/always-return": "off",
    "unicorn/prefer-add-event-listener": "off",
    "no-unmodified-loop-condition": "off",
    "oxc/no-map-spread": "off",
    "unicorn/no-useless-spread": "off",
    "unicorn/require-module-specifiers": "off",
    "vitest/expect-expect": "off",
    "vitest/no-conditional-tests": "off",
    "vitest/no-standalone-expect": "off",
    "vitest/require-mock-type-parameters": "off",
    "vitest/require-to-throw-message": "off",
    "vitest/valid-title": "off"
  },
  overrides: [
    {
      files: ["packages/*/src/**/*.ts"],
      rules: {
        "no-restricted-properties": ["error", {
          object: "URL",
          property: "canParse",
          message:
            "Node.js 20 and 22 refuse letters beyond ASCII once they have compiled its caller: use parseUrl of @mcp-lifeline/protocol."
        }]
      }
    },
    ...directions,
    // The only module of core with a peer that is optional.
    refuse("core/src/toolkit.ts", [
      ...ofPackage("core").slice(0, -1),
      {
        regex: "^([^.e@]|e[^f]|@[^em]|@mcp|@effect/[^a]|effect[^/])",
        message: "toolkit takes effect, @effect/ai, and types from the SDK."
      }
    ])
  ]
}
