export const COLUMNS = 7;
export const ROWS = 6;

type Disc = 0 | 1 | null;

/** Where a disc comes to lie that is dropped into a column, or undefined where it cannot be dropped. */
export function drop(board: readonly Disc[], column: number): number | undefined {
  if (!Number.isInteger(column) || column < 0 || column >= COLUMNS) return undefined;
  for (let row = 0; row < ROWS; row++) {
    const place = row * COLUMNS + column;
    if (board[place] === null) return place;
  }
  return undefined;
}

/** Whether the disc at a place is part of four in a line. */
export function isWon(board: readonly Disc[], place: number): boolean {
  const [row, column] = [Math.floor(place / COLUMNS), place % COLUMNS];
  const disc = board[place];
  const same = (dx: number, dy: number) => {
    let count = 0;
    for (let x = column + dx, y = row + dy; x >= 0 && x < COLUMNS && y >= 0 && y < ROWS; x += dx, y += dy) {
      if (board[y * COLUMNS + x] !== disc) break;
      count += 1;
    }
    return count;
  };
  const lines: [number, number][] = [
    [1, 0],
    [0, 1],
    [1, 1],
    [1, -1],
  ];
  return lines.some(([dx, dy]) => same(dx, dy) + 1 + same(-dx, -dy) >= 4);
}
