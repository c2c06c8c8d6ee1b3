import { until } from '../../e2e/support/command-process.ts'

/** Sends one BiDi command. */
type Send = <T>(method: string, params: object, limitMs?: number) => Promise<T>
interface Node {
  sharedId: string
}
interface Evaluation {
  type: 'success' | 'exception'
  result?: { value?: unknown }
  exceptionDetails?: { text: string }
}

export class NoAnswerError extends Error {}

const appearanceTimeoutMs = 30_000
/** A search that meets a navigation may never be answered, and is then repeated. */
const searchTimeoutMs = 3_000

/** A tab whose elements are found by their names, and which gets real input events. */
export class Tab {
  readonly #send: Send
  readonly #context: string
  readonly #origin: string

  constructor(send: Send, context: string, origin: string) {
    this.#send = send
    this.#context = context
    this.#origin = origin
  }

  async goto(path: string): Promise<void> {
    const url = this.#origin + path
    try {
      await this.#send('browsingContext.navigate', { context: this.#context, url, wait: 'complete' })
    } catch (error) {
      // A page that leads on while it loads, such as the account of nobody, ends the navigation to itself.
      if (!(error instanceof Error && error.message.includes('NS_BINDING_ABORTED'))) throw error
    }
  }

  /** Where the tab is, also when the page could not be loaded. */
  async address(): Promise<string> {
    const tree = await this.#send<{ contexts: { url: string }[] }>('browsingContext.getTree', { root: this.#context })
    return tree.contexts[0]?.url ?? ''
  }

  async seesHeading(name: string): Promise<void> {
    await this.#find({ type: 'accessibility', value: { role: 'heading', name } })
  }

  async seesText(text: string): Promise<void> {
    await this.#find({ type: 'xpath', value: `//*[text()[contains(normalize-space(), "${text}")]]` })
  }

  async fill(label: string, text: string): Promise<void> {
    const field = await this.#field(label)
    await this.#call('(field) => { field.focus(); field.select() }', [field])
    const value = Array.from(text, (key) => [
      { type: 'keyDown', value: key },
      { type: 'keyUp', value: key },
    ]).flat()
    await this.#perform([{ type: 'key', id: 'keyboard', actions: value }])
  }

  async press(role: 'button' | 'link', name: string): Promise<void> {
    const element = await this.#find({ type: 'accessibility', value: { role, name } })
    await this.#call('(element) => element.scrollIntoView({ block: "center" })', [element])
    const move = { type: 'pointerMove', x: 0, y: 0, origin: { type: 'element', element } }
    const actions = [move, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }]
    await this.#perform([{ type: 'pointer', id: 'mouse', actions }])
  }

  async valueOf(label: string): Promise<unknown> {
    const field = await this.#field(label)
    return this.#call('(field) => field.value', [field])
  }

  /**
   * The value of an expression, which is awaited; it has to be a string, number or boolean.
   *
   * @param limitMs how long the page may take
   */
  async evaluate(expression: string, limitMs = 120_000): Promise<unknown> {
    const params = { expression, target: { context: this.#context }, awaitPromise: true }
    const answer = await this.#send<Evaluation>('script.evaluate', params, limitMs)
    if (answer.type === 'exception') throw new Error(answer.exceptionDetails?.text)
    return answer.result?.value
  }

  async close(): Promise<void> {
    await this.#send('browsingContext.close', { context: this.#context })
  }

  /** By its label, because a password field has no role in HTML-AAM. */
  #field(label: string): Promise<Node> {
    return this.#find({ type: 'xpath', value: `//*[@id = //label[normalize-space() = "${label}"]/@for]` })
  }

  async #find(locator: object): Promise<Node> {
    let found: Node | undefined
    const search = async () => {
      found = await this.#search(locator)
      return found !== undefined
    }
    await until(search, JSON.stringify(locator), appearanceTimeoutMs)
    return found!
  }

  async #search(locator: object): Promise<Node | undefined> {
    const params = { context: this.#context, locator, maxNodeCount: 1 }
    try {
      const { nodes } = await this.#send<{ nodes: Node[] }>('browsingContext.locateNodes', params, searchTimeoutMs)
      return nodes[0]
    } catch (error) {
      if (error instanceof NoAnswerError || isBetweenPages(error)) return undefined
      throw error
    }
  }

  async #call(functionDeclaration: string, nodes: Node[]): Promise<unknown> {
    const answer = await this.#send<Evaluation>('script.callFunction', {
      functionDeclaration,
      arguments: nodes.map(({ sharedId }) => ({ sharedId })),
      target: { context: this.#context },
      awaitPromise: true,
    })
    return answer.result?.value
  }

  async #perform(actions: object[]): Promise<void> {
    await this.#send('input.performActions', { context: this.#context, actions })
    await this.#send('input.releaseActions', { context: this.#context })
  }
}

/** Firefox searches in a document that has no element yet, and fails. */
function isBetweenPages(error: unknown): boolean {
  return error instanceof Error && error.message.includes('property "nodeType"')
}
