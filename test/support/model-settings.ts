/**
 * What the model-based test does, from the environment. `npm test` runs 1,000 commands and `.ci/run` 3,000, both from the
 * same seed every time, so that a change is blamed only for its own failures. `npm run model` starts from another seed
 * each time. A failure prints the seed and the paths that show it again:
 *
 *     MODEL_SEED=1 MODEL_PATH=3:2 MODEL_REPLAY_PATH=AAA: npm run model
 */
const { MODEL_COMMANDS, MODEL_SEED, MODEL_PATH, MODEL_REPLAY_PATH } = process.env

export const modelSettings = {
  commands: Number(MODEL_COMMANDS ?? 1000),
  seed: Number(MODEL_SEED ?? (MODEL_COMMANDS === undefined ? 1 : Date.now() % 2 ** 31)),
  ...(MODEL_PATH !== undefined && { path: MODEL_PATH }),
  ...(MODEL_REPLAY_PATH !== undefined && { replayPath: MODEL_REPLAY_PATH }),
}
