/** The published client: the contents and the size of the package, and the examples of its README. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { demoAdmin } from '../../tools/demo/demo-admin.ts'
import { projectRoot } from '../../tools/wrangler.ts'
import { goodPassword, otherPassword } from '../support/passwords.ts'
import { DevServer } from './support/dev-server.ts'
import { examplesIn } from './support/readme.ts'

const run = promisify(execFile)
const browserBudgetBytes = 9_900
const timeout = 300_000

/** The users in the examples. */
const ada = { email: 'ada@example.com', password: goodPassword }
const grace = { email: 'grace@example.com', password: otherPassword }

describe('@postern/client', { timeout }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-client-'))
  const installed = join(folder, 'node_modules/@postern/client')
  let packed: string[]

  before(async () => {
    const options = { cwd: join(projectRoot, 'client') }
    const { stdout } = await run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], options)
    const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [
      { filename: string; files: { path: string }[] },
    ]
    packed = files.map(({ path }) => path)
    mkdirSync(installed, { recursive: true })
    await run('tar', ['-xzf', join(folder, filename), '--strip-components=1', '-C', installed])
    for (const name of ['jose', 'hono', '@types', '@cloudflare']) {
      symlinkSync(join(projectRoot, 'node_modules', name), join(folder, 'node_modules', name))
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** Bundles code as for a page. */
  async function bundle(contents: string): Promise<{ bytes: number; text: string }> {
    const stdin = { contents, resolveDir: folder }
    const result = await build({ stdin, bundle: true, minify: true, format: 'esm', write: false, platform: 'browser' })
    const text = result.outputFiles[0]?.text ?? ''
    return { bytes: gzipSync(text, { level: 9 }).length, text }
  }

  /** Checks files as an application does whose compiler looks at the types of its packages, too. */
  async function compile(files: string, options: object): Promise<void> {
    const rules = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }
    const compilerOptions = { target: 'ES2022', noEmit: true, ...rules, ...options }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: [files] }))
    const { stdout } = await run('tsc', ['-p', folder]).catch((error: { stdout: string }) => error)
    assert.equal(stdout, '')
  }

  test('contains code, types, sources, a README and a license only', () => {
    const other = packed.filter((path) => !/^(dist\/[\w-]+\.(js|js\.map|d\.ts)|src\/[\w-]+\.ts)$/.test(path))
    assert.deepEqual(other.toSorted(), ['LICENSE', 'README.md', 'package.json'])
    for (const entry of ['index', 'verifier', 'hono']) {
      assert.ok(packed.includes(`dist/${entry}.js`) && packed.includes(`dist/${entry}.d.ts`), entry)
    }
  })

  test(`is at most ${browserBudgetBytes} bytes gzipped in a browser, without unused parts`, async () => {
    const whole = await bundle(`export * from '@postern/client'`)
    console.log(`the browser entry, gzipped: ${whole.bytes} bytes of ${browserBudgetBytes}`)
    assert.ok(whole.bytes <= browserBudgetBytes, `${whole.bytes} bytes`)
    assert.doesNotMatch(whole.text, /jwks|JOSE|from"/)
    const error = await bundle(`export { PosternError } from '@postern/client'`)
    assert.ok(error.bytes < 600, `${error.bytes} bytes for the error alone`)
  })

  test('has README examples that compile', async () => {
    const examples = examplesIn(join(projectRoot, 'client/README.md'))
    assert.ok(examples.length >= 9)
    examples.forEach(({ code }, index) => writeFileSync(join(folder, `example-${index}.ts`), code))
    await compile('example-*.ts', { module: 'NodeNext', lib: ['ES2022', 'DOM', 'DOM.Iterable'], types: ['node'] })
  })

  const projects = [
    { of: 'a page', module: 'ESNext', moduleResolution: 'bundler', lib: ['ES2022', 'DOM'], types: [] },
    { of: 'Node, without the types of the DOM', module: 'NodeNext', lib: ['ES2022'], types: ['node'] },
    {
      of: 'a Worker',
      module: 'ESNext',
      moduleResolution: 'bundler',
      lib: ['ES2022'],
      types: ['@cloudflare/workers-types'],
    },
  ]
  for (const { of, ...options } of projects) {
    test(`has types that compile in a project of ${of}`, async () => {
      const entries = ['', '/verifier', '/hono'].map((entry) => `import '@postern/client${entry}'`)
      writeFileSync(join(folder, 'entries.ts'), entries.join('\n'))
      await compile('entries.ts', options)
    })
  }

  test('has README examples that work against the development server', async () => {
    const server = await DevServer.start()
    const { origin } = server
    try {
      for (const who of [ada, demoAdmin]) await server.signUp(who)
      const token = await server.register(grace)
      writeFileSync(join(folder, 'page.mjs'), `globalThis.location = { hash: '#token=${token}', origin: '${origin}' }`)
      const outputs = []
      for (const [index, { code, isForBrowsers }] of examplesIn(join(projectRoot, 'client/README.md')).entries()) {
        if (isForBrowsers) continue
        const file = join(folder, `run-${index}.ts`)
        writeFileSync(file, code.replaceAll('https://accounts.example.com', origin))
        const { stdout } = await run(process.execPath, ['--import', join(folder, 'page.mjs'), file], { cwd: folder })
        outputs.push(stdout.trim().replaceAll(/\s*\n\s*/g, ' '))
      }
      assert.deepEqual(outputs.slice(0, 4), [
        'signed_in ada@example.com user_changed ada@example.com Ada signed_out nobody',
        'The address or the password is wrong.',
        'If the address is right, an email is on its way. Follow the link in it.',
        'USER true',
      ])
      assert.match(outputs[4] ?? '', /^grace@example\.com active ada@example\.com active \[.*'user\.signed_in'/s)
      assert.deepEqual(outputs.slice(5), ['ada@example.com', '401', '401', '200'])
    } finally {
      await server.stop()
    }
  })
})
