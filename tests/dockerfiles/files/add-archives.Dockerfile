FROM scratch
ADD archives/a.tar /plain
ADD archives/a.tar.gz /gz/
ADD archives/a.tar.bz2 /bz2/
ADD archives/a.tar.xz /xz/
ADD archives/named /by-content/
ADD archives/a.txt.gz /not-a-tar
ADD archives/*.gz /several/
COPY archives/a.tar /copied/
