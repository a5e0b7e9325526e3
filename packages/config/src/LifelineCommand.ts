/**
 * Recognizes the command line of Lifeline in any form. Pure.
 */

/** Also with a version, a folder or a script extension of Windows; or the program's file. */
export const isLifeline = (argument: string): boolean =>
  /(^|[/\\])mcp-lifeline(@[^/\\]+)?(\.(cmd|exe|ps1|js))?$/i.test(argument) ||
  /[/\\](mcp-lifeline|gateway)[/\\](esm|dist)[/\\]bin\.js$/.test(argument)

/** Lifeline and its command are words of their own. */
const placeOf = (words: ReadonlyArray<string>): number =>
  words.findIndex((word, index) => isLifeline(word) && /^[a-z]+$/.test(words[index + 1] ?? ""))

/** For example `wrap`; `undefined` for another program. */
export const of = (words: ReadonlyArray<string>): string | undefined => {
  const found = (among: ReadonlyArray<string>): ReadonlyArray<string> => {
    const place = placeOf(among)
    return place === -1 ? [] : among.slice(place + 1, place + 2)
  }
  // `sh -c "npx 'mcp-lifeline' wrap -- server"` has all of it in one word, in which the shell may find further shells.
  const within = words.filter((word) => /\s/.test(word)).flatMap((word) => found(word.split(/[\s"'`;&|<>()]+/)))
  return [...found(words), ...within][0]
}

/** Of a line with nothing but words and quotes. */
export const shellWords = (line: string): ReadonlyArray<string> =>
  Array.from(
    line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g),
    ([word]) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? "")
  )

/** `launcher`: the words that start Lifeline. `args`: those of `wrap`. */
export interface Wrap {
  readonly launcher: ReadonlyArray<string>
  readonly args: ReadonlyArray<string>
}

/** `undefined` if it is no `wrap`, or all in one word. */
export const wrap = (words: ReadonlyArray<string>): Wrap | undefined => {
  const place = placeOf(words)
  return place === -1 || words[place + 1] !== "wrap"
    ? undefined
    : { launcher: words.slice(0, place + 1), args: words.slice(place + 2) }
}

const isAddress = (word: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(word) || word.startsWith("${")

/** What follows an option may be its value; any other word begins the server's command. `place`: of the word with the value. */
const optionsIn = (args: ReadonlyArray<string>) => {
  const takesNext = (word = ""): boolean => word.startsWith("-") && !word.includes("=")
  const end = args.findIndex((word, place) =>
    word === "--" || !(word.startsWith("-") || takesNext(args[place - 1]) || isAddress(word))
  )
  return args.slice(0, end === -1 ? undefined : end).flatMap((word, place) => {
    const [, name = args[place - 1] ?? "", value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? []
    return value === undefined && !takesNext(args[place - 1]) ? [] : [{ name, value: value ?? word, place }]
  })
}

/** `wrap` replaces references in their values. */
const replacing: ReadonlySet<string> = new Set(["--header", "--client-id", "--client-secret"])

export interface Kept {
  /** Of words that may have them. */
  readonly places: ReadonlySet<number>
  readonly has: (name: string) => boolean
}

/**
 * References that `wrap` replaces itself in its options: to variables that its entry gives it, and to secrets that it reads. `isGiven`: by the
 * entry.
 */
export const keptReferences = (words: ReadonlyArray<string>, isGiven: (name: string) => boolean): Kept => {
  const found = wrap(words)
  const options = found === undefined ? [] : optionsIn(found.args)
  const secrets = new Set(
    options.flatMap(({ name, value }) => name === "--secret" ? /^[A-Za-z_]\w*(?==)/.exec(value)?.[0] ?? [] : [])
  )
  const before = (found?.launcher.length ?? 0) + 1
  return {
    places: new Set(options.flatMap(({ name, place }) => replacing.has(name) ? [before + place] : [])),
    has: (name) => isGiven(name) || secrets.has(name)
  }
}
