package NameServer;

# A DNS server of a test: a process that answers queries for addresses as its
# file says.  The file is read for each query: "drop", "nxdomain", "hold" (until
# it says something else), or lines of "ADDRESS TTL".

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET ();

use Gateway;

sub start {
    my ($class, $answer) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Proto => 'udp') or die "DNS: $!";
    my $self = bless {
        owner => $$, port => $socket->sockport,
        dir => File::Temp->newdir('ai-proxy-dns-XXXXXX', TMPDIR => 1),
    }, $class;
    $self->answer($answer);

    defined($self->{pid} = fork) or die "fork: $!";
    if ($self->{pid} == 0) {
        $self->serve($socket);
    }
    return $self;
}

# What is answered from now on.
sub answer {
    my ($self, $text) = @_;
    my $file = "$self->{dir}/answer";
    open my $out, '>', "$file.new" or die "$file: $!";
    print $out $text;
    close $out;
    rename "$file.new", $file or die "$file: $!";
}

# The names that were asked for so far.
sub queries { return split /\n/, Gateway::slurp("$_[0]{dir}/queries") }

sub address { return "127.0.0.1:$_[0]{port}" }

sub serve {
    my ($self, $socket) = @_;
    open my $log, '>>', "$self->{dir}/queries" or kill 'KILL', $$;
    $log->autoflush(1);
    while (defined(my $from = $socket->recv(my $query, 512))) {
        my ($id, undef, $asked) = unpack 'n3', $query;
        my ($at, @labels) = (12);
        while (my $length = ord substr $query, $at, 1) {
            push @labels, substr $query, $at + 1, $length;
            $at += 1 + $length;
        }
        my $type = unpack 'n', substr $query, $at + 1, 2;
        my $question = substr $query, 12, $at + 5 - 12;
        print $log join('.', @labels), "\n" if $type == 1;
        my $answer;
        while (($answer = Gateway::slurp("$self->{dir}/answer")) =~ /^hold/) {
            select undef, undef, undef, 0.02;
        }
        next if $answer =~ /^drop/;
        my $rcode = $answer =~ /^nxdomain/ ? 3 : 0;
        my @found = $type == 1 ? $answer =~ /^(\d+\.\S+ \d+)$/mg : ();
        my $reply = pack('n6', $id, 0x8180 | $rcode, 1, scalar @found, 0, 0)
            . $question;
        for (@found) {
            my ($ip, $ttl) = split ' ';
            $reply .= pack 'nnnNn C4', 0xc00c, 1, 1, $ttl, 4, split /\./, $ip;
        }
        $socket->send($reply, 0, $from);
    }
    kill 'KILL', $$;
}

sub stop {
    my ($self) = @_;
    return unless $self->{pid} && $self->{owner} == $$;
    kill 'KILL', $self->{pid};
    local $?;
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}

sub DESTROY { $_[0]->stop }

1;
