/** Normalised Gaussian kernels by which an observation is spread over neighbouring bins. */
export interface Kernel {
  radius: number;
  /** 2 × radius + 1 parts that add up to 1. */
  parts: Float64Array;
}

const STEP = 0.25;
const NARROWEST = 0.6;
const WIDEST = 6;

const kernels = Array.from({ length: WIDEST / STEP + 1 }, (_, i) => kernel(Math.max(NARROWEST, i * STEP)));

/** The kernel for a bandwidth in bins, held between 0.6 and 6. */
export function kernelOf(bandwidth: number): Kernel {
  const index = Math.round(Math.min(WIDEST, Math.max(NARROWEST, bandwidth)) / STEP);
  return kernels[index] as Kernel;
}

function kernel(bandwidth: number): Kernel {
  const radius = Math.ceil(bandwidth * 3);
  const parts = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - radius) / bandwidth) ** 2),
  );
  const sum = parts.reduce((a, b) => a + b);
  return { radius, parts: parts.map((part) => part / sum) };
}
