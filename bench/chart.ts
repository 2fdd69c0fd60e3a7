// Drawn for a README: the reader's color scheme decides, and no script or font is needed.
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .soft { fill: #59636e; }
  .bar { fill: #8c959f; }
  .ours { fill: #0969da; }
  .grid { stroke: #d1d9e0; }
  .line { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .soft { fill: #9198a1; }
    .bar { fill: #656c76; }
    .ours { fill: #4493f8; }
    .grid { stroke: #3d444d; }
  }`;
/** Each of them is readable on white and on black. */
const lineColors = ['#2f81f7', '#d4731a', '#2da44e', '#b06ce0'];
const width = 720;

/** Horizontal bars; the first is Latchkey's. */
export function barChart(title: string, bars: { label: string; value: number }[]): string {
  const row = 34;
  const left = 130;
  const most = Math.max(...bars.map(({ value }) => value));
  const drawn = bars.map(({ label, value }, position) => {
    const y = 50 + position * row;
    const length = (value / most) * (width - left - 70);
    return [
      text(left - 12, y + 16, label, 'text-anchor="end"'),
      `<rect class="${position === 0 ? 'ours' : 'bar'}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="22" rx="3"/>`,
      text(left + length + 8, y + 16, value.toFixed(0), 'class="soft"'),
    ].join('\n');
  });
  return svg(title, 60 + bars.length * row, drawn);
}

/** Lines over sizes that grow by the same factor; the vertical axis begins at nothing. */
export function lineChart(title: string, sizes: number[], series: { label: string; values: number[] }[]): string {
  const [left, right, top, bottom] = [50, 560, 55, 300];
  const most = Math.max(...series.flatMap(({ values }) => values)) * 1.1;
  const x = (position: number): number => left + (position / Math.max(1, sizes.length - 1)) * (right - left);
  const y = (value: number): number => bottom - (value / most) * (bottom - top);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = share * most;
    const rule = `<line class="grid" x1="${left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/>`;
    return rule + text(left - 8, y(value) + 4, value.toFixed(1), 'class="soft" text-anchor="end"');
  });
  const ticks = sizes.map((size, position) =>
    text(x(position), bottom + 22, size.toLocaleString('en'), 'class="soft" text-anchor="middle"'),
  );
  const lines = series.map(({ label, values }, position) => {
    const color = lineColors[position % lineColors.length];
    const points = values.map((value, step) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    const key = 70 + position * 24;
    return [
      `<polyline class="line" stroke="${color}" points="${points}"/>`,
      `<rect fill="${color}" x="${right + 20}" y="${key - 9}" width="16" height="4"/>`,
      text(right + 44, key - 2, label, ''),
    ].join('\n');
  });
  return svg(title, 340, [...grid, ...ticks, ...lines]);
}

function svg(title: string, height: number, parts: string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">`,
    `<style>${style}</style>`,
    text(16, 28, title, 'class="title"'),
    ...parts,
    '</svg>',
  ].join('\n');
}

function text(x: number, y: number, words: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${words}</text>`;
}
