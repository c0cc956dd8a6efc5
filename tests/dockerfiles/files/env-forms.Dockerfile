FROM busybox
ENV one the rest of "the" line
ENV two=2 three="3 3" four=4\ 4 five='5 $two' six=
ENV two=again seven=$two eight=${two}x
ENV nine=$nothing ten="$eight" eleven=\$two
