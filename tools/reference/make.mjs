// Makes the API reference in build/api, from the sources and docstrings of the packages that programs import. Fails on a warning:
// a type that an export shows and that is missing, a link that leads nowhere.
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Application } from "typedoc"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Every entry point of the packages, and the source that it stands for. */
const entries = readdirSync(`${root}packages`).flatMap((directory) => {
  const manifest = JSON.parse(readFileSync(`${root}packages/${directory}/package.json`, "utf8"))
  return Object.entries(manifest.exports).flatMap(([entry, target]) =>
    typeof target === "string" ? [] : [{
      name: `${manifest.name}${entry.slice(1)}`,
      source: `${root}packages/${directory}/src/${target.default.slice("./dist/".length).replace(/\.js$/, ".ts")}`
    }]
  )
})

/** What the main entry of a package has is there; these are the modules that it does not have. The program has none to import. */
const documented = entries.filter(({ name }) =>
  /^@mcp-lifeline\/(?:[\w-]+|opentelemetry\/(?:otlp|providers)|(?:core|effect4)\/toolkit|effect4\/transport)$/.test(
    name
  )
)

const application = await Application.bootstrapWithPlugins({
  name: "Lifeline",
  entryPoints: documented.map(({ source }) => source),
  tsconfig: `${root}tools/reference/tsconfig.json`,
  compilerOptions: { paths: Object.fromEntries(entries.map(({ name, source }) => [name, [source]])) },
  out: `${root}build/api`,
  // Types that an export shows and that are not exported themselves stand beside it.
  plugin: ["typedoc-plugin-missing-exports"],
  readme: `${root}tools/reference/README.md`,
  disableGit: true,
  basePath: root,
  sourceLinkTemplate: "https://github.com/mcp-lifeline/lifeline/blob/main/{path}#L{line}",
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  // So that GitHub Pages publishes each file as it is.
  githubPages: true,
  treatWarningsAsErrors: true,
  validation: { notExported: true, invalidLink: true, notDocumented: false },
  jsDocCompatibility: { exampleTag: true },
  navigation: { includeCategories: false, includeGroups: false },
  sort: ["source-order"]
})
application.options.setValue("placeInternalsInOwningModule", true)
const project = await application.convert()
if (project === undefined) process.exit(1)
for (const { name, source } of documented) {
  const module = project.children?.find((child) => child.sources?.[0]?.fullFileName === source)
  if (module !== undefined) module.name = name
}
// TypeDoc looks for types that are missing in one package only.
for (const { name } of documented) {
  project.packageName = name
  application.validate(project)
}
await application.generateOutputs(project)
if (application.logger.hasErrors() || application.logger.hasWarnings()) process.exitCode = 1
