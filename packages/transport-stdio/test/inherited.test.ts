import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { afterEach, vi } from "vitest"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Environment from "../src/Environment.js"
import * as inherited from "../src/inherited.js"
import { connectOptions } from "./support.js"

const names = Object.values(inherited).flatMap((group) => typeof group === "function" ? [] : group)
const ours = {
  HTTP_PROXY: "http://proxy:3128",
  https_proxy: "http://proxy:3128",
  NODE_EXTRA_CA_CERTS: "/etc/company.pem",
  NPM_CONFIG_REGISTRY: "https://npm.company",
  npm_config_cache: "/cache",
  UV_DEFAULT_INDEX: "https://pypi.company",
  PIP_INDEX_URL: "https://pypi.company",
  DOCKER_HOST: "unix:///run/user/1000/docker.sock",
  XDG_RUNTIME_DIR: "/run/user/1000"
}
const tokens = {
  npm_config__auth: "secret",
  NPM_CONFIG__AUTHTOKEN: "secret",
  "npm_config_//npm.company/:_authToken": "secret",
  npm_config_otp: "secret",
  UV_PUBLISH_TOKEN: "secret",
  UV_INDEX_COMPANY_PASSWORD: "secret",
  PIP_CLIENT_CERT: "secret",
  DOCKER_AUTH_CONFIG: "secret",
  SSH_AUTH_SOCK: "secret",
  NODE_OPTIONS: "--inspect",
  MY_HTTP_PROXY: "secret"
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe("what a server inherits", () => {
  it("[S5:unit] what package managers need behind a proxy, and no token", () => {
    for (const platform of ["linux", "darwin", "win32"] as const) {
      assert.deepStrictEqual(Environment.make({}, { ...ours, ...tokens }, platform), ours)
    }
    const capitals = Object.fromEntries(Object.entries(ours).map(([name, value]) => [name.toUpperCase(), value]))
    assert.deepStrictEqual(Environment.make({}, capitals, "win32"), capitals)
  })

  it("[S5:unit] no name of a variable sounds like a secret", () => {
    for (const name of names) {
      assert.notMatch(name, /token|secret|passw|auth(?!_file$)|otp$|_key$/i)
    }
  })

  it("[S5:unit] the page lists each of them, and nothing else", () => {
    const page = readFileSync(new URL("../../../docs/reference/stdio.md", import.meta.url), "utf8")
    const table = page.split("## What a server inherits")[1]!.split("| purpose |")[1]!.split("\n\n")[0]!
    const listed = Array.from(table.matchAll(/`([^`]+)`/g), ([, name]) => name)
    assert.sameMembers(listed.filter((name) => name !== "LC_*"), names)
  })
})

describe("credentials in inherited addresses", () => {
  for (const inheritEnv of [false, true]) {
    test.live(`[C10:real] are not in stderr lines, messages, target (inheritEnv: ${inheritEnv})`, function*() {
      vi.stubEnv("HTTPS_PROXY", "http://me:pr0xy-pass@proxy:3128")
      const lines: Array<string> = []
      const connector = StdioConnector.make({
        command: process.execPath,
        args: ["-e", "console.error('407 from', process.env.HTTPS_PROXY); process.exit(1)", "pr0xy-pass"],
        stderr: (line) => lines.push(line),
        inheritEnv
      })
      const error = yield* Effect.scoped(Effect.flip(connector.connect(connectOptions)))
      assert.deepStrictEqual(lines, Array.from({ length: lines.length }, () => "407 from http://***@proxy:3128"))
      assert.include(error.message, "407 from http://***@proxy:3128")
      assert.notInclude(error.message + connector.target, "pr0xy-pass")
    })
  }
})
