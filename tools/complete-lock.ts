/**
 * Completes package-lock.json after `npm install` from a registry mirror that lacks the binaries of some platforms. npm
 * then records no entry for them, and `npm ci` refuses the lock file on every platform. An entry with the exact version
 * that its parent requires is enough. It has no integrity; npm verifies that of the registry where it installs the
 * binary.
 */
import { readFileSync, writeFileSync } from 'node:fs'

interface LockedPackage {
  version?: string
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const path = 'package-lock.json'
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, LockedPackage> }
const { packages } = lock
let added = 0

for (const [parentPath, parent] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const hoisted = `node_modules/${name}`
    if (packages[hoisted] || packages[`${parentPath}/${hoisted}`]) continue
    packages[hoisted] = { version, ...(parent.dev && { dev: true }), optional: true, ...platformOf(name) }
    added++
  }
}

lock.packages = Object.fromEntries(Object.entries(packages).toSorted(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} entries added to ${path}`)

/** The platform at the end of a package name: `…-linux-arm64-musl`, `…-win32-x64-msvc`, `…-windows-64`. */
function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> {
  const match =
    /[/-](android|darwin|freebsd|linux|openharmony|win32|windows|aix|sunos|netbsd|openbsd)-([a-z0-9]+)(?:-([a-z0-9]+))?$/.exec(
      name,
    )
  if (!match) return {}
  const [, os, cpu, abi = ''] = match as unknown as [string, string, string, string?]
  return {
    os: [os === 'windows' ? 'win32' : os],
    cpu: [cpu === '64' ? 'x64' : cpu],
    ...(os === 'linux' && abi.startsWith('musl') && { libc: ['musl'] }),
    ...(os === 'linux' && abi.startsWith('gnu') && { libc: ['glibc'] }),
  }
}
