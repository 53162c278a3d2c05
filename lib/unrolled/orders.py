"""The order in which the pixels of a picture are read (lecture X4: any order will do, if it is fixed).

A picture (R, C) has R rows and C columns; its line (N,) holds the same N = R * C pixels in the order in which
they are read. An `Order` turns one into the other and back, without loss.
"""

import torch

from .shapes import Float, Int, Tensor


class Order:
    """A fixed order of the pixels of a picture of `size` = (R, C).

    places (N,) says which pixel comes when: places[t] = r * C + c is read at time t. ranks (N,) is the other
    way round: ranks[r * C + c] = t. Raises ValueError where a pixel is missing or comes twice.
    """

    def __init__(self, name: str, size: tuple[int, int], places: Int[Tensor, "N"]):
        N = size[0] * size[1]
        if min(size) < 1:
            raise ValueError(f"size is {size}: expected at least one row and one column")
        if not torch.equal(places.sort().values, torch.arange(N)):
            raise ValueError(f"places of the order {name!r}: expected each of 0 to {N - 1} exactly once")
        self.name, self.size, self.places, self.ranks = name, size, places, places.argsort()

    def line(
        self, pictures: Int[Tensor, "*B R C"] | Float[Tensor, "*B R C"]
    ) -> Int[Tensor, "*B N"] | Float[Tensor, "*B N"]:
        """The pixels one after the other, as they are read."""
        if tuple(pictures.shape[-2:]) != self.size:
            raise ValueError(f"pictures have shape {tuple(pictures.shape)}: this order is for {self.size}")
        return pictures.flatten(-2)[..., self.places.to(pictures.device)]

    def picture(
        self, lines: Int[Tensor, "*B N"] | Float[Tensor, "*B N"]
    ) -> Int[Tensor, "*B R C"] | Float[Tensor, "*B R C"]:
        """The pictures whose pixels were read in this order: the inverse of `line`."""
        if lines.shape[-1] != len(self.places):
            raise ValueError(f"lines have {lines.shape[-1]} pixels: this order is for {len(self.places)}")
        return lines[..., self.ranks.to(lines.device)].unflatten(-1, self.size)

    def __repr__(self) -> str:
        return f"{self.name} order of {self.size[0]} x {self.size[1]} pixels"


def raster(rows: int, columns: int) -> Order:
    """As one reads a page: row by row, each from left to right."""
    return Order("raster", (rows, columns), torch.arange(rows * columns))


def reverse(rows: int, columns: int) -> Order:
    """The page backwards, from the last pixel to the first."""
    return Order("reverse", (rows, columns), torch.arange(rows * columns).flip(0))


def by_columns(rows: int, columns: int) -> Order:
    """Column by column, each from top to bottom."""
    return Order("column", (rows, columns), _grid(rows, columns).T.flatten())


def spiral(rows: int, columns: int) -> Order:
    """Round and round, clockwise from the upper left corner to the centre."""
    grid, turns = _grid(rows, columns), []
    while grid.numel():
        turns.append(grid[0])
        grid = grid[1:].rot90()
    return Order("spiral", (rows, columns), torch.cat(turns))


def shuffled(rows: int, columns: int, seed: int = 0) -> Order:
    """In an order drawn by chance, once for all pictures; the same seed draws the same order."""
    places = torch.randperm(rows * columns, generator=torch.Generator().manual_seed(seed))
    return Order("shuffled", (rows, columns), places)


def clusters(rows: int, columns: int, side: int = 4) -> Order:
    """Square by square, each of side x side pixels; raster order within the squares and between them."""
    if side < 1:
        raise ValueError(f"side is {side}: a cluster has at least one pixel")
    square = [[r // side, c // side] for r in range(rows) for c in range(columns)]
    return _sorted("cluster", (rows, columns), [a * columns + b for a, b in square])


def coarse_to_fine(rows: int, columns: int) -> Order:
    """A coarse grid first, then the grids between, each twice as fine, in raster order within each."""
    spread = [r | c for r in range(rows) for c in range(columns)]
    return _sorted("coarse to fine", (rows, columns), [-(x & -x) if x else -rows * columns for x in spread])


def _grid(rows: int, columns: int) -> Int[Tensor, "R C"]:
    return torch.arange(rows * columns).view(rows, columns)


def _sorted(name: str, size: tuple[int, int], keys: list[int]) -> Order:
    """Pixels with a smaller key come first; of equal ones, those that are first on the page."""
    return Order(name, size, torch.tensor(keys).argsort(stable=True))
