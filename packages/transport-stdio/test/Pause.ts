/** Processes that stop, and go on: by signals, and on Windows, which has none for that, by functions of the system. */
import { createRequire } from "node:module"

interface Koffi {
  readonly load: (
    dll: string
  ) => { readonly func: (declaration: string) => (...args: ReadonlyArray<unknown>) => unknown }
}

const suspendAndResume = 0x800

const call = (name: "NtSuspendProcess" | "NtResumeProcess", pid: number): void => {
  const koffi = createRequire(import.meta.url)(`@koromix/koffi-win32-${process.arch}`) as Koffi
  const kernel32 = koffi.load("kernel32.dll")
  const open = kernel32.func("void* __stdcall OpenProcess(uint32, int, uint32)")
  const close = kernel32.func("int __stdcall CloseHandle(void*)")
  const handle = open(suspendAndResume, 0, pid)
  const status = koffi.load("ntdll.dll").func(`int __stdcall ${name}(void*)`)(handle)
  close(handle)
  if (status !== 0) throw new Error(`${name} of ${pid} answers ${String(status)}`)
}

export const stop = (pid: number): void => {
  if (process.platform === "win32") call("NtSuspendProcess", pid)
  else process.kill(pid, "SIGSTOP")
}

export const resume = (pid: number): void => {
  if (process.platform === "win32") call("NtResumeProcess", pid)
  else process.kill(pid, "SIGCONT")
}
