import { describe, expect, it } from "@effect/vitest"
import type { Copy } from "dockerfile-ast"
import { validate } from "dockerfile-utils"
import { dirname } from "node:path"
import { parse } from "yaml"
import * as Cli from "../../src/Cli.js"
import { argumentsOf, files, isSent, listOf, only, stages, textOf, variablesOf } from "../support/Image.js"

const [build, image] = stages()

describe("the Dockerfile", () => {
  it("[G26] is one, by a published parser", () => {
    expect(validate(textOf("Dockerfile"))).toEqual([])
    expect([build!.base, image!.base]).toEqual(["node:24-bookworm-slim", "node:24-bookworm-slim"])
  })

  it("[G26] builds with the package manager that the repository pins, and what it copies is built", () => {
    const { packageManager } = JSON.parse(textOf("package.json")) as { readonly packageManager: string }
    const used = textOf("Dockerfile").match(/pnpm@[\d.]+/g)
    expect(new Set(used)).toEqual(new Set([packageManager]))
    expect((only(image!, "COPY") as Copy).getFromFlag()?.getValue()).toBe(build!.name)
  })

  it("[G26] copies all packages that the gateway needs, as these need no others", () => {
    const { dependencies } = JSON.parse(textOf("packages/gateway/package.json")) as { readonly dependencies: object }
    for (const name of Object.keys(dependencies)) {
      const manifest = JSON.parse(textOf(`packages/gateway/node_modules/${name}/package.json`))
      expect(Object.keys(manifest.dependencies ?? {})).toEqual([])
    }
  })

  it("[G26] needs neither root nor a file system that can be written, apart from one volume", () => {
    expect(argumentsOf(only(image!, "USER"))).toMatch(/^[1-9]\d{4}:[1-9]\d{4}$/)
    const volume = listOf(only(image!, "VOLUME"))
    expect(volume).toEqual([argumentsOf(only(image!, "WORKDIR"))])
    expect(variablesOf(image!)).toMatchObject({ HOME: volume[0], MCP_LIFELINE_STATE: `${volume[0]}/lifeline` })
  })

  it("[G26] runs the gateway by default, on the port that it exposes and asks for its health", () => {
    const request = Cli.read([...listOf(only(image!, "CMD"))], {})
    expect(request).toMatchObject({ _tag: "Serve", options: { host: "0.0.0.0" } })
    const { port } = (request as { readonly options: { readonly port: number } }).options
    expect(argumentsOf(only(image!, "EXPOSE"))).toBe(String(port))
    expect(argumentsOf(only(image!, "HEALTHCHECK"))).toContain(`http://127.0.0.1:${port}/health`)
  })

  it("[G26] is run by the page as it can be: with its volume, its port, and time to stop", () => {
    const page = textOf("docs/tasks/in-a-container.md")
    const [, compose = ""] = /^```yaml\n(.*?)^```$/ms.exec(page) ?? []
    const { gateway } = (parse(compose) as { readonly services: Record<string, any> }).services
    const [, line = ""] = /^(docker run .*?)\n```/ms.exec(page) ?? []
    const run = line.replaceAll(/\\\n\s*/g, "")
    const [config] = listOf(only(image!, "CMD")).filter((one) => one.endsWith("/mcp.json")).map((one) => dirname(one))
    const [state] = listOf(only(image!, "VOLUME"))
    expect(gateway.volumes).toEqual([`./config:${config}:ro`, `state:${state}`])
    expect(run).toContain(`--volume "$PWD/config:${config}:ro" --volume lifeline:${state} lifeline`)
    const port = argumentsOf(only(image!, "EXPOSE"))
    expect(gateway.ports).toEqual([`127.0.0.1:${port}:${port}`])
    expect(run).toContain(`--publish 127.0.0.1:${port}:${port}`)
    // After 30 seconds the gateway ends itself.
    expect(Number.parseInt(gateway.stop_grace_period, 10)).toBeGreaterThan(30)
    expect(Number(/--stop-timeout (\d+)/.exec(run)?.[1])).toBeGreaterThan(30)
    expect(gateway).toMatchObject({ read_only: true, cap_drop: ["ALL"], tmpfs: ["/tmp"] })
    expect(run).toMatch(/--read-only --tmpfs \/tmp --cap-drop ALL/)
  })

  it("[G26] is sent what it builds from, and nothing that is secret, made, or not needed for that", () => {
    const sent = ["package.json", "pnpm-lock.yaml", "packages/gateway/src/bin.ts", "tools/bundle.mjs"]
    for (const file of sent) expect(isSent(file)).toBe(true)
    const made = ["node_modules/a/b.js", "packages/core/dist/a.js"]
    for (const file of [".git/config", ".env", "packages/gateway/.env.local", ...made]) expect(isSent(file)).toBe(false)
    expect(files().filter((file) => file.endsWith(".test.ts")).filter(isSent)).toEqual([])
  })
})
