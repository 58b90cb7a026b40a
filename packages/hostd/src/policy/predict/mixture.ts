/** Gradients are held within this, so that one surprise does not undo what was learned. */
const MAX_GRADIENT = 3;
const RATE = 0.05;
const FIRST_SQUARES = 10;
const LEAST = Math.fround(-0.1);
const MOST = 2;
const MOST_OWN = 1;

export interface SavedWeights {
  values: number[];
  squares: number[];
}

/**
 * Weights of the experts, learned online by log loss with steps that shrink as evidence grows (AdaGrad): the log
 * hazard of a wait is its class's plus each expert's deviation times its weight.
 */
export class Weights {
  readonly values: Float32Array;
  readonly #squares: Float32Array;
  readonly #least: number;
  readonly #most: number;

  private constructor(room: Float32Array, first: number, least: number, most: number) {
    const size = room.length / 2;
    this.values = room.subarray(0, size).fill(first);
    this.#squares = room.subarray(size).fill(FIRST_SQUARES);
    this.#least = least;
    this.#most = most;
  }

  /** The weights of a kind. */
  static ofKind(size: number): Weights {
    return new Weights(new Float32Array(2 * size), 0.25, LEAST, MOST);
  }

  /**
   * What a class adds to its kind's weights.
   * @param room for two numbers an expert
   */
  static ofClass(room: Float32Array): Weights {
    return new Weights(room, 0, -MOST_OWN, MOST_OWN);
  }

  /** @param gradient of the log likelihood by the expert's weight */
  learn(expert: number, gradient: number): void {
    const step = Math.max(-MAX_GRADIENT, Math.min(MAX_GRADIENT, gradient));
    const squares = (this.#squares[expert] as number) + step * step;
    this.#squares[expert] = squares;
    const value = (this.values[expert] as number) + (RATE * step) / Math.sqrt(squares);
    this.values[expert] = Math.max(this.#least, Math.min(this.#most, value));
  }

  save(): SavedWeights {
    return { values: [...this.values], squares: [...this.#squares] };
  }

  /** @throws RangeError where it is not what was saved */
  restore({ values, squares }: SavedWeights): void {
    if (values.length !== this.values.length || squares.length !== values.length) {
      throw new RangeError(`${values.length} weights instead of ${this.values.length}`);
    }
    for (const [i, value] of values.entries()) {
      const square = squares[i] as number;
      if (!(value >= this.#least && value <= this.#most && square >= FIRST_SQUARES && square < 1e12)) {
        throw new RangeError(`weight ${value}, ${square}`);
      }
      this.values[i] = value;
      this.#squares[i] = square;
    }
  }
}
