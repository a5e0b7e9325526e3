import { install as npmInstall } from "../../../../../tools/installed.mjs"
import { pack } from "../../../../../tools/packed.mjs"

/** Packs one of our packages, as the compiler and the bundler made it last, and installs it in a folder as npm does on Windows. */
export const install = async (directory: string, name: string): Promise<void> => {
  const [packed] = await pack(directory, [name])
  await npmInstall(directory, { [name]: `file:${packed?.tarball}` }, undefined, ["--os=win32", "--cpu=x64"])
}
