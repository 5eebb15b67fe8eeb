"""The tills: what they are told of prices, what they tell of sales and counts, and whether the two agree."""
