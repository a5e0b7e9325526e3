/**
 * Makes what is published of the facade and of the gateway: bundles with everything inlined that a user need not install, which
 * is what their `dependencies` and `peerDependencies` do not name. Runs as `prepack` in the folder of the package, on what the
 * compiler wrote to `dist`.
 *
 * - `esm`: the modules of the entries, and chunks that are loaded when they are needed.
 * - `esm/*.cjs`, for the gateway: its program as functions (`packages/gateway/src/process/Archive.ts`). What each start of `wrap` needs is in one file.
 * - `cjs`, for a package with declarations: the first entry as one CommonJS module, since Node.js before 20.19 cannot `require` ES modules.
 * - Programs that a module starts as processes of their own, and files that it serves, beside that module.
 * - Beside each, the declarations that its entry reaches. They may show nothing that is not installed.
 * - `third-party.txt`: the licenses of what is inlined.
 */
import { build, transform } from "esbuild"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { basename, dirname, join, relative } from "node:path"

/**
 * The modules that a package is entered by, whether programs import it, and the files of other packages that its modules look for
 * beside themselves (`new URL("file", import.meta.url)`), as paths below `packages`.
 *
 * @typedef {object} Bundle
 * @property {ReadonlyArray<string>} entries
 * @property {boolean} imported
 * @property {ReadonlyArray<string>} archived The modules whose functions are in the first file of the archive, with all that they import. The first is the program.
 * @property {ReadonlyArray<string>} beside
 */

/** @type {Readonly<Record<string, Bundle>>} */
const bundles = {
  "@mcp-lifeline/client": { entries: ["index", "within"], imported: true, archived: [], beside: [] },
  "mcp-lifeline": {
    entries: ["bin", "demo/loopback"],
    imported: false,
    archived: ["program", "hosted", "wrap/wrap"],
    beside: [
      "cluster/dist/watchdog.mjs",
      "gateway/node_modules/htm/dist/htm.mjs",
      "gateway/node_modules/preact/dist/preact.mjs",
      "gateway/node_modules/preact/hooks/dist/hooks.mjs"
    ]
  }
}

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {string} [license]
 * @property {object} [dependencies]
 * @property {object} [optionalDependencies]
 * @property {object} [peerDependencies]
 */

/** @returns {Manifest} */
const manifest = (/** @type {string} */ file) => JSON.parse(readFileSync(file, "utf8"))

const { dependencies = {}, name, optionalDependencies = {}, peerDependencies = {} } = manifest("package.json")
const bundle = bundles[name]
if (bundle === undefined) throw new Error(`${name} is not published as a bundle`)
const installed = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })

/** What `effect` exports itself, beside its modules. */
const functions = new Set(["absurd", "flow", "hole", "identity", "pipe", "unsafeCoerce"])

/** Imports each module of Effect that our modules name, and not the index of all: the bundler drops from a module, and no index. */
const fromModules = (/** @type {string} */ text) =>
  text.replaceAll(
    /^import \{([^}]+)\} from "effect";/gm,
    (_, /** @type {string} */ names) =>
      names.split(",").map((one) => {
        const [module = "", local = module] = one.trim().split(" as ")
        return functions.has(module)
          ? `import {${one}} from "effect/Function";`
          : `import * as ${local} from "effect/${module}";`
      }).join(" ")
  )

/** The modules of what a package exports. A bundler renames classes of one name; a user sees the names of these. */
const publicModules = join(process.cwd(), "dist")

/** @type {import("esbuild").Plugin} */
const ours = {
  name: "ours",
  setup: (build) =>
    build.onLoad({ filter: /[/\\]packages[/\\][^/\\]+[/\\]dist[/\\].*\.js$/ }, async ({ path }) => {
      if (!bundle.imported || dirname(path) !== publicModules) {
        return { contents: fromModules(await readFile(path, "utf8")) }
      }
      // From its source: a transformation of what the compiler wrote would lose the compiler's source map.
      const sourcefile = join("src", relative(publicModules, path).replace(/\.js$/, ".ts"))
      const { code } = await transform(await readFile(sourcefile, "utf8"), {
        loader: "ts",
        target: "es2022",
        keepNames: true,
        sourcemap: "inline",
        sourcefile: join(process.cwd(), sourcefile),
        tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } }
      })
      return { contents: fromModules(code) }
    })
}

/** A source map for the first line of a file, and for no other: one without any mapping is ignored. */
const unmapped = `\n//# sourceMappingURL=data:application/json;base64,${
  Buffer.from(JSON.stringify({ version: 3, sources: [""], mappings: "AAAA" })).toString("base64")
}`

/**
 * Leaves what is inlined of others out of the source maps: it would be most of them, and nobody has its sources at hand.
 *
 * @type {import("esbuild").Plugin}
 */
const others = {
  name: "others",
  setup: (build) =>
    build.onLoad({ filter: /[/\\]node_modules[/\\].*\.[cm]?js$/ }, async ({ path }) => ({
      contents: `${await readFile(path, "utf8")}${unmapped}`
    }))
}

/**
 * Modules without effects whose packages do not say so: without this they are inlined where nothing of them is used. Effect's HTTP server
 * imports them for WebSockets and for files.
 *
 * @type {import("esbuild").Plugin}
 */
const pure = {
  name: "pure",
  setup: (build) =>
    build.onResolve({ filter: /^(?:mime|ws)$/ }, async ({ path, pluginData, ...rest }) => {
      if (pluginData === pure) return undefined
      return { ...await build.resolve(path, { ...rest, pluginData: pure }), sideEffects: false }
    })
}

/** The folder of the package that a file of `node_modules` belongs to. */
const packageOf = (/** @type {string} */ file) => /^.*node_modules[/\\](@[^/\\]+[/\\])?[^/\\]+/.exec(file)?.[0]

/** @type {Set<string>} */
const inlined = new Set()

/** @param {import("esbuild").BuildOptions & { readonly outdir: string }} options */
const write = async (options) => {
  const { metafile: { inputs, outputs }, outputFiles = [] } = await build({
    bundle: true,
    platform: "node",
    // Before "main": some are UMD modules, which hide from the bundler what they require.
    mainFields: ["module", "main"],
    target: "node20.18",
    // undici would take it from a bundler that promises it and does not define it.
    ...bundle.imported && { define: { __filename: "undefined" } },
    external: installed.flatMap((one) => [one, `${one}/*`]),
    plugins: [ours, others, pure],
    sourcemap: true,
    // Names and lines are what a stack trace needs; the sources themselves would be a third of what is installed.
    sourcesContent: false,
    legalComments: "none",
    // Shorter statements: 330 kB less of a program. Names and lines stay. What programs import stays as it is written.
    minifySyntax: !bundle.imported,
    logLevel: "warning",
    chunkNames: "[name]-[hash]",
    ...options,
    metafile: true
  })
  for (const output of Object.values(outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      const found = bytesInOutput > 0 ? packageOf(input) : undefined
      if (found !== undefined) inlined.add(found)
    }
  }
  return { inputs, outputs, outputFiles }
}

/** Writes functions of modules. @param {string} file @param {ReadonlyArray<{ name: string, code: string }>} modules */
const writeArchive = (file, modules) => {
  const functions = modules.map(({ code, name }) =>
    `${JSON.stringify(name)}(exports, require, module, __url, __import) {\n${code}}`
  )
  writeFileSync(file, `({\n${functions.join(",\n")}\n})\n`)
}

/** The modules that a chunk imports when it is loaded. */
const imported = (/** @type {import("esbuild").Metafile["outputs"][string] | undefined} */ output) =>
  output?.imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => path) ?? []

/** Names of a list of imports or exports. */
const pairs = (/** @type {string} */ list) =>
  list.split(",").map((one) => one.trim().split(" as ")).filter(([name]) => name !== "")

/**
 * Links the chunks by values: a bundler for CommonJS makes each use of another chunk a call of two getters. It gives what a chunk has when its code has
 * run: `archive` refuses what changes after that, and chunks that import each other.
 */
const linked = (/** @type {string} */ text) =>
  text
    .replaceAll(
      /^import \{([^}]*)\} from ("\.[^"]*");$/gm,
      (_, /** @type {string} */ list, /** @type {string} */ from) =>
        `const { ${pairs(list).map(([name, own = name]) => `${name}: ${own}`).join(", ")} } = require(${from});`
    )
    .replaceAll(/^import ("\.[^"]*");$/gm, "require($1);")
    .replaceAll(
      /^export \{([^}]*)\};$/gm,
      (_, /** @type {string} */ list) =>
        `Object.assign(exports, { ${pairs(list).map(([name, other = name]) => `${other}: ${name}`).join(", ")} });`
    )

/** Writes the program of a package as an archive: the modules that are named, with what they import, in its first file. */
const archive = async (/** @type {ReadonlyArray<string>} */ names) => {
  const outdir = "esm"
  const { inputs, outputFiles, outputs } = await write({
    entryPoints: Object.fromEntries(names.map((name) => [basename(name), `dist/${name}.js`])),
    outdir,
    format: "esm",
    splitting: true,
    write: false,
    sourcemap: false,
    outExtension: { ".js": ".cjs" }
  })
  const modules = await Promise.all(
    outputFiles.map(async ({ path, text }) => {
      // What is installed may be a module that only `import` loads.
      const { code } = await transform(linked(text).replaceAll(/\bimport\((?="[^".])/g, "__import("), {
        format: "cjs",
        supported: { "dynamic-import": false },
        define: { "import.meta.url": "__url" },
        target: "node20.18"
      })
      return { name: basename(path), code }
    })
  )
  const changing = Object.keys(inputs).filter((file) => /^export let /m.test(readFileSync(file, "utf8")))
  if (changing.length > 0) {
    throw new Error(`${name}: what these export may change, which the archive cannot show: ${changing.join(", ")}`)
  }
  for (const path of Object.keys(outputs)) {
    const below = new Set(imported(outputs[path]))
    for (const other of below) for (const next of imported(outputs[other])) below.add(next)
    if (below.has(path)) {
      throw new Error(`${name}: ${path} imports itself through other chunks, which sees values too early`)
    }
  }
  const first = new Set(names.map((name) => `${outdir}/${basename(name)}.cjs`))
  for (const path of first) for (const next of imported(outputs[path])) first.add(next)
  const isFirst = (/** @type {{ name: string }} */ { name }) => first.has(`${outdir}/${name}`)
  writeArchive(join(outdir, `${names[0]}.cjs`), modules.filter(isFirst))
  for (const module of modules.filter((module) => !isFirst(module))) writeArchive(join(outdir, module.name), [module])
}

const isInstalled = (/** @type {string} */ specifier) => installed.some((one) => `${specifier}/`.startsWith(`${one}/`))
const { resolve } = createRequire(join(process.cwd(), "package.json"))

/** The declarations of ours that a file names by a specifier. Throws when it names what a user has not installed. */
const named = (/** @type {string} */ file, /** @type {string} */ specifier) => {
  if (specifier.startsWith(".")) return join(dirname(file), specifier.replace(/\.js$/, ".d.ts"))
  if (specifier.startsWith("node:") || isInstalled(specifier)) return undefined
  if (!specifier.startsWith("@mcp-lifeline/")) {
    throw new Error(`${name}: ${file} shows ${specifier}, which is inlined and not installed`)
  }
  return resolve(specifier).replace(/\.js$/, ".d.ts")
}

/** Comments, or the specifiers of what is imported. */
const specifiers = /\/\*.*?\*\/|(?<=(?:\bfrom|\bimport|\bimport\()\s*")[^"]+(?=")/gs
const isComment = (/** @type {string} */ found) => found.startsWith("/*")

/** The declarations that one of them reaches, itself included, those of inlined packages of ours too. */
const reached = (/** @type {string} */ file, /** @type {Set<string>} */ found = new Set([file])) => {
  for (const [specifier] of readFileSync(file, "utf8").matchAll(specifiers)) {
    const next = isComment(specifier) ? undefined : named(file, specifier)
    if (next !== undefined && !found.has(next)) reached(next, found.add(next))
  }
  return found
}

/** Where declarations are published: those of an inlined package in a folder of its name. */
const published = (/** @type {string} */ file) =>
  file.startsWith(publicModules)
    ? relative(publicModules, file)
    : file.replace(/^.*[/\\]packages[/\\]([^/\\]+)[/\\]dist[/\\]/, "$1/")

const declare = (/** @type {string} */ outdir, /** @type {ReadonlyArray<string>} */ entries) => {
  const declarations = new Set(entries.flatMap((entry) => [...reached(join(publicModules, `${entry}.d.ts`))]))
  for (const file of declarations) {
    const to = join(outdir, published(file))
    const text = readFileSync(file, "utf8").replaceAll(specifiers, (specifier) => {
      const next = isComment(specifier) || specifier.startsWith(".") ? undefined : named(file, specifier)
      return next === undefined
        ? specifier
        : `./${relative(dirname(published(file)), published(next)).replace(/\.d\.ts$/, ".js")}`
    })
    mkdirSync(dirname(to), { recursive: true })
    // A map would lead to sources that are not in the package.
    const isOwn = file.startsWith(publicModules)
    writeFileSync(to, isOwn ? text : text.replace(/^\/\/# sourceMappingURL=.*$/m, ""))
    if (isOwn) cpSync(`${file}.map`, `${to}.map`)
  }
}

for (const outdir of ["esm", "cjs"]) rmSync(outdir, { recursive: true, force: true })
const entryPoints = bundle.entries.map((entry) => ({ in: `dist/${entry}.js`, out: basename(entry) }))
await write({
  entryPoints,
  outdir: "esm",
  format: "esm",
  splitting: true,
  // For CommonJS modules that are inlined. Those of what programs import require nothing but modules of Node.js; and a bundler for CommonJS
  // leaves `import.meta` empty.
  banner: {
    js: bundle.imported
      ? `const require = process.getBuiltinModule;`
      : `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`
  }
})
if (bundle.archived.length > 0) await archive(bundle.archived)
// All chunks are in this folder, so that each finds it.
for (const file of bundle.beside) {
  cpSync(join("..", file), join("esm", basename(file)))
  const found = packageOf(relative(process.cwd(), realpathSync(join("..", file))))
  if (found !== undefined) inlined.add(found)
}
if (bundle.imported) {
  declare("esm", bundle.entries)
  mkdirSync("cjs")
  writeFileSync("cjs/package.json", JSON.stringify({ type: "commonjs", sideEffects: false }))
  // A dynamic import would load the other copy of a package that has two, and errors of the one are no instances of the other's.
  await write({
    entryPoints: entryPoints.slice(0, 1),
    outdir: "cjs",
    format: "cjs",
    supported: { "dynamic-import": false }
  })
  declare("cjs", bundle.entries.slice(0, 1))
}

const licenses = [...inlined].toSorted().map((folder) => {
  const { license, name, version } = manifest(join(folder, "package.json"))
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one))
  const text = file === undefined ? `License: ${license}` : readFileSync(join(folder, file), "utf8").trim()
  return `${name} ${version}\n\n${text}\n`
})
if (licenses.length > 0) writeFileSync("third-party.txt", licenses.join(`\n${"-".repeat(80)}\n\n`))
else if (existsSync("third-party.txt")) rmSync("third-party.txt")
