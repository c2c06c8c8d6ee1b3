/** Nothing but web/navigation.ts leads a browser anywhere, so that one function answers where it may be led. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseAst } from 'vite'
import { projectRoot } from '../../tools/wrangler.ts'

interface Node {
  type: string
  start: number
  end: number
  [member: string]: unknown
}

/** Members that set an address, whatever they are called on. */
const settingMembers = ['href', 'action', 'formAction', 'srcdoc', 'innerHTML', 'outerHTML', 'insertAdjacentHTML']
const addressAttributes = ['href', 'xlinkHref', 'action', 'formAction', 'src', 'srcDoc', 'dangerouslySetInnerHTML']
/** A path of our own. The second character decides: `//` and `/\\` name a host. */
const ownPath = /^(\/[\w-][^\\]*|\/|#\w+)$/

/** What a source does besides asking web/navigation.ts. */
function navigationsIn(source: string): string[] {
  const found: string[] = []
  const note = ({ start, end }: Node) => found.push(source.slice(start, end))
  const textOf = ({ start, end }: Node) => source.slice(start, end)
  walk(parseAst(source, { lang: 'tsx' }) as unknown as Node, (node) => {
    if (node.type === 'MemberExpression') {
      const whole = textOf(node).replace(/^(globalThis|window|self|top|parent|document)\??\./, '')
      if (/^location(\.(assign|replace|reload)\b|\[)/.test(whole) || /^(history|navigation)\b/.test(whole)) note(node)
      if (/^(window|globalThis|self)\.open$/.test(textOf(node))) note(node)
      if (/\.(insertAdjacentHTML|writeln?|setAttribute)$/.test(textOf(node))) note(node)
    }
    if (node.type === 'CallExpression' && textOf(node.callee as Node) === 'open') note(node)
    if (node.type === 'AssignmentExpression') {
      const target = node.left as Node
      const name = textOf(target)
      if (/(^|\.)location$/.test(name) || settingMembers.some((member) => name.endsWith(`.${member}`))) note(node)
    }
    if (node.type === 'JSXAttribute' && addressAttributes.includes(String((node.name as Node)['name']))) {
      if (!isSafeAttribute(node.value as Node, textOf)) note(node)
    }
  })
  return found
}

/** A path of ours that is written down, or an address that `hrefTo` let pass. */
function isSafeAttribute(value: Node, textOf: (node: Node) => string): boolean {
  if (value.type === 'Literal') return ownPath.test(String(value['value']))
  const inner = value['expression'] as Node
  return inner?.type === 'CallExpression' && textOf(inner.callee as Node) === 'hrefTo'
}

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  for (const member of Object.values(node)) {
    for (const child of Array.isArray(member) ? member : [member]) {
      if (child !== null && typeof child === 'object' && 'type' in child) walk(child as Node, visit)
    }
  }
}

describe('the pages', () => {
  it('navigate through web/navigation.ts alone', async () => {
    const found: string[] = []
    for await (const path of glob('web/**/*.{ts,tsx}', { cwd: projectRoot })) {
      if (path === 'web/navigation.ts' || path.startsWith('web/build/')) continue
      found.push(...navigationsIn(readFileSync(join(projectRoot, path), 'utf8')).map((what) => `${path}: ${what}`))
    }
    assert.deepEqual(found, [])
  })

  const forbidden = [
    'location.replace(target)',
    'location.assign(target)',
    'window.location.href = target',
    'location = target',
    'document.location = target',
    'globalThis.location.reload()',
    "location['replace'](target)",
    'history.pushState(null, "", target)',
    'navigation.navigate(target)',
    'open(target)',
    'window.open(target)',
    'link.href = target',
    'form.action = target',
    'element.setAttribute("href", target)',
    'element.innerHTML = text',
    'const a = <a href={target}>x</a>',
    'const a = <a href={`/${target}`}>x</a>',
    'const a = <a href="//evil.example">x</a>',
    'const a = <a href="https://evil.example">x</a>',
    'const a = <a href="javascript:x">x</a>',
    'const a = <form action={target} />',
    'const a = <button formAction={target} />',
    'const a = <iframe src={target} />',
  ]
  for (const source of forbidden) {
    it(`could not contain ${source}`, () => assert.equal(navigationsIn(source).length > 0, true))
  }

  it('may read the address, write a path of ours and ask for any other', () => {
    for (const source of [
      'const a = location.pathname + location.search + location.origin + location.href',
      'const a = <a href="/account">x</a>',
      'const a = <a href="#content">x</a>',
      'const a = <a href={hrefTo(next)}>x</a>',
    ]) {
      assert.deepEqual(navigationsIn(source), [])
    }
  })
})

describe('the Worker', () => {
  it('redirects to paths that are written down alone', async () => {
    const found: string[] = []
    for await (const path of glob('src/**/*.ts', { cwd: projectRoot })) {
      const source = readFileSync(join(projectRoot, path), 'utf8')
      for (const [, target = ''] of source.matchAll(/\.redirect\(\s*([^)]*)\)/g)) {
        if (!/^'\/[\w-][^'\\]*'(, 30\d)?$/.test(target)) found.push(`${path}: ${target}`)
      }
      if (/['"`]Location['"`]/i.test(source)) found.push(`${path}: Location`)
    }
    assert.deepEqual(found, [])
    const lines = readFileSync(join(projectRoot, 'public/_redirects'), 'utf8').split('\n')
    const rules = lines.filter((line) => line !== '' && !line.startsWith('#'))
    assert.deepEqual(rules, ['/ /account 302'])
  })
})
