/**
 * The command line of Lifeline in configurations: recognizes it in any form. Pure.
 */

/** `mcp-lifeline`, also with a version, a folder or the extension of a script of Windows, or the file of the program. */
export const isLifeline = (argument: string): boolean =>
  /(^|[/\\])mcp-lifeline(@[^/\\]+)?(\.(cmd|exe|ps1|js))?$/i.test(argument) ||
  /[/\\](mcp-lifeline|gateway)[/\\](esm|dist)[/\\]bin\.js$/.test(argument)

/** Where Lifeline and the name of its command are words of their own; -1 if they are nowhere. */
const placeOf = (words: ReadonlyArray<string>): number =>
  words.findIndex((word, index) => isLifeline(word) && /^[a-z]+$/.test(words[index + 1] ?? ""))

/** Which command of Lifeline a command line runs, for example `wrap`; `undefined` if it runs another program. */
export const of = (words: ReadonlyArray<string>): string | undefined => {
  const direct = placeOf(words)
  // `sh -c "npx mcp-lifeline wrap -- server"` has all of it in one word.
  const within = words.map((word) => /(?:^|[\s/\\])mcp-lifeline(?:@\S+)?\s+([a-z]+)\b/.exec(word)?.[1])
  return direct === -1 ? within.find((found) => found !== undefined) : words[direct + 1]
}

/** A command line of `wrap`: the words that start Lifeline, and the arguments of `wrap`. */
export interface Wrap {
  readonly launcher: ReadonlyArray<string>
  readonly args: ReadonlyArray<string>
}

/** Splits a command line of `wrap`; `undefined` if it is none, or has all of it in one word. */
export const wrap = (words: ReadonlyArray<string>): Wrap | undefined => {
  const place = placeOf(words)
  return place === -1 || words[place + 1] !== "wrap"
    ? undefined
    : { launcher: words.slice(0, place + 1), args: words.slice(place + 2) }
}

/** Names of variables that `--secret NAME=COMMAND` makes. */
const secretsIn = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.flatMap((arg, index) => {
    const value = args[index - 1] === "--secret" ? arg : arg.startsWith("--secret=") ? arg.slice(9) : undefined
    const name = value === undefined ? undefined : /^[A-Za-z_]\w*(?==)/.exec(value)?.[0]
    return name === undefined ? [] : [name]
  })

/** References that are not to be replaced. */
export interface Kept {
  /** The names of their variables. */
  readonly names: ReadonlySet<string>
  /** How many words of the command line may have them. */
  readonly until: number
}

/**
 * The references in a command line that `wrap` replaces itself, in the values of its options: those to the `env` of the server, which wrap
 * gets, and to secrets that it reads.
 */
export const keptReferences = (words: ReadonlyArray<string>, env: ReadonlyArray<string>): Kept => {
  const found = wrap(words)
  if (found === undefined) return { names: new Set(), until: 0 }
  const end = found.args.indexOf("--")
  const own = end === -1 ? found.args : found.args.slice(0, end)
  return { names: new Set([...env, ...secretsIn(own)]), until: found.launcher.length + 1 + own.length }
}
