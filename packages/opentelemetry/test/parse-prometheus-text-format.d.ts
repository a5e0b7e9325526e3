declare module "parse-prometheus-text-format" {
  interface Family {
    readonly name: string
    readonly help: string
    readonly type: string
    readonly metrics: ReadonlyArray<Readonly<Record<string, unknown>>>
  }
  const parse: (text: string) => Array<Family>
  export default parse
}
