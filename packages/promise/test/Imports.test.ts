import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const modules = async () => {
  const { metafile: { inputs } } = await build({
    absWorkingDir: fileURLToPath(new URL("../", import.meta.url)),
    entryPoints: ["dist/index.js"],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    outdir: "none",
    write: false,
    metafile: true,
    plugins: [{
      name: "others",
      setup: ({ onResolve }) =>
        onResolve(
          { filter: /^[@\w]/ },
          ({ path }) => path.startsWith("@mcp-lifeline/") ? undefined : { external: true }
        )
    }]
  })
  return inputs
}

describe("what importing the facade loads", () => {
  it("[F7] nothing of the stateless era, OAuth, the older transport or OpenTelemetry: each stands behind an import()", async () => {
    const inputs = await modules()
    const isLate = (file: string) =>
      /Stateless|AutoConnection|ProbedTransport|InputRequests|protocol.dist.Discovery|sign-in|OlderSse|opentelemetry/i
        .test(file)
    assert.isNotEmpty(Object.keys(inputs).filter(isLate))
    const loaded = new Set<string>()
    const load = (file: string): void => {
      if (loaded.has(file)) return
      loaded.add(file)
      for (const { kind, path } of inputs[file]?.imports ?? []) if (kind === "import-statement") load(path)
    }
    load("dist/index.js")
    assert.isAbove(loaded.size, 50)
    assert.deepStrictEqual([...loaded].filter(isLate), [])
  })
})
