/**
 * The modules of the published program, which `tools/bundle.mjs` writes as functions: those that every start of `wrap` needs in one file,
 * so that V8 reads and compiles one, and the others each in its own.
 */

/** What `require` gives. */
type Exports = Record<string, unknown>

/** A module: a function of what a CommonJS module has, the URL of the program, and `import`. */
type Module = (
  exports: Exports,
  require: (specifier: string) => unknown,
  module: { exports: Exports },
  url: string,
  load: (specifier: string) => Promise<unknown>
) => void

/** Modules by their names. */
export type Modules = Readonly<Record<string, Module>>

/** What is not the archive's own. */
export interface Surroundings {
  readonly read: (file: string) => Modules
  readonly require: (specifier: string) => unknown
  /** What `import.meta.url` is. */
  readonly url: string
}

/** The file with the modules that every start needs. */
export const main = "program.cjs"

export const run = ({ read, require, url }: Surroundings): void => {
  const modules = new Map(Object.entries(read(main)))
  const loaded = new Map<string, { exports: Exports }>()
  const load = (name: string): Exports => {
    const known = loaded.get(name)
    if (known !== undefined) return known.exports
    const found = modules.get(name) ?? read(name)[name]
    if (found === undefined) throw new Error(`${name} has no module of its name`)
    const module = { exports: {} }
    loaded.set(name, module)
    try {
      found(module.exports, requireIn, module, url, (specifier) => import(specifier))
      return module.exports
    } catch (error) {
      // What it needs may not be readable now, as with too many open files: the next request loads it anew.
      loaded.delete(name)
      throw error
    }
  }
  const requireIn = (specifier: string): unknown =>
    specifier.startsWith("./") ? load(specifier.slice(2)) : require(specifier)
  load(main)
}
